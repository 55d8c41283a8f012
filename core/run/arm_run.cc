// SPDX-License-Identifier: Apache-2.0
#include "run/arm_run.h"

namespace promptsweep {

Result<std::unique_ptr<ArmRun>> ArmRun::load(RunStore& run, const ArmSpec& spec) {
  std::unique_ptr<ArmRun> arm(new ArmRun(run, spec));
  Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(spec);
  if (!store) return std::move(store).error();
  Result<std::vector<RequestRow>> rows = (*store)->requests();
  if (!rows) return std::move(rows).error();
  Result<ArmProgress> progress = (*store)->progress();
  if (!progress) return std::move(progress).error();
  Result<std::vector<JobRow>> open_jobs = (*store)->open_jobs();
  if (!open_jobs) return std::move(open_jobs).error();
  Result<std::vector<RequestRow>> pending = (*store)->pending();
  if (!pending) return std::move(pending).error();
  arm->rows_ = std::move(rows).value();
  arm->accepted_ = progress->accepted;
  arm->left_open_ = std::move(open_jobs).value();
  for (const RequestRow& row : *pending) arm->pending_.push_back(row.request_id);
  return arm;
}

Result<ArmStore*> ArmRun::store() {
  if (!store_) {
    Result<std::unique_ptr<ArmStore>> opened = run_.open_arm(spec_);
    if (!opened) return std::move(opened).error();
    store_ = std::move(opened).value();
  }
  return store_.get();
}

Status ArmRun::close() {
  if (!store_) return ok;
  Status flushed = store_->flush();
  store_.reset();
  return flushed;
}

void ArmRun::count_accepted(const std::string& request_id) {
  if (accepted_now_.insert(request_id).second) ++accepted_;
}

std::filesystem::path ArmRun::folder() const {
  return (run_.folder() / spec_.store_path).parent_path();
}

}  // namespace promptsweep
