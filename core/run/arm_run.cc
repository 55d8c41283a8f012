// SPDX-License-Identifier: Apache-2.0
#include "run/arm_run.h"

namespace promptsweep {

Result<std::unique_ptr<ArmRun>> ArmRun::load(RunStore& run, const ArmSpec& spec) {
  std::unique_ptr<ArmRun> arm(new ArmRun(run, spec));
  Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(spec);
  if (!store) return std::move(store).error();
  Result<ArmProgress> progress = (*store)->progress();
  if (!progress) return std::move(progress).error();
  const Result<std::vector<JobRow>> left = (*store)->open_jobs();
  if (!left) return left.error();
  arm->has_left_jobs_ = !left->empty();
  arm->expected_ = progress->expected;
  arm->accepted_ = progress->accepted;
  return arm;
}

Result<ArmStore*> ArmRun::store() {
  if (store_) return store_.get();
  std::string holder;
  Result<std::optional<FileLock>> lease =
      FileLock::try_take(folder() / "arm.lock", process_note() + " since " + utc_now(), &holder);
  if (!lease) return std::move(lease).error();
  if (!*lease) {
    return Error{Code::state, "arm " + spec_.arm_id + " is being run by " + holder};
  }
  lease_ = std::move(**lease);
  Result<std::unique_ptr<ArmStore>> opened = run_.open_arm(spec_);
  if (!opened) return std::move(opened).error();
  store_ = std::move(opened).value();
  return store_.get();
}

Status ArmRun::close() {
  if (!store_) return ok;
  Status flushed = store_->flush();
  store_.reset();
  lease_.reset();
  return flushed;
}

Result<std::filesystem::path> ArmRun::set_aside() {
  Result<ArmStore*> opened = store();  // whoever else has the arm keeps it
  if (!opened) return std::move(opened).error();
  if (Status flushed = store_->flush(); !flushed) return std::move(flushed).error();
  store_.reset();
  std::filesystem::path aside;
  std::error_code ignored;
  for (int n = 1; aside.empty() || std::filesystem::exists(aside, ignored); ++n) {
    aside = folder() / ("arm.before-" + std::to_string(n) + ".sqlite");
  }
  Status moved = rename_durably(run_.folder() / spec_.store_path, aside);
  lease_.reset();
  if (!moved) return std::move(moved).error();
  return aside;
}

Status ArmRun::refresh() {
  std::unique_ptr<ArmStore> reader;
  if (!store_) {
    Result<std::unique_ptr<ArmStore>> opened = run_.open_arm_read_only(spec_);
    if (!opened) return std::move(opened).error();
    reader = std::move(opened).value();
  }
  Result<std::vector<ArmStore::RequestState>> states = (store_ ? store_ : reader)->request_states();
  if (!states) return std::move(states).error();
  states_ = std::move(states).value();
  accepted_ = 0;
  for (const ArmStore::RequestState& state : states_) accepted_ += state.accepted ? 1 : 0;
  expected_ = static_cast<std::int64_t>(states_.size());
  return ok;
}

std::filesystem::path ArmRun::folder() const {
  return (run_.folder() / spec_.store_path).parent_path();
}

}  // namespace promptsweep
