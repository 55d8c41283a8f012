// SPDX-License-Identifier: Apache-2.0
#include "store/run_store.h"

#include <mutex>
#include <utility>

#include "store/arm_store.h"
#include "store/plan_merge.h"
#include "store/plan_rows.h"
#include "store/run_schema.h"

namespace promptsweep {
namespace {

PhaseRecord phase_from(const Statement& row) {
  return {.phase = row.text(0),
          .subject = row.text(1),
          .input_hash = row.text(2),
          .outputs_json = row.text(3),
          .finished_at = row.text(4)};
}

class SqliteRunStore final : public RunStore {
 public:
  SqliteRunStore(std::filesystem::path folder, std::optional<FileLock> lock, Database database)
      : folder_(std::move(folder)), lock_(std::move(lock)), database_(std::move(database)) {}

  Status stamp_creation();

  const std::filesystem::path& folder() const override { return folder_; }
  Status write_plan(const RunPlan& plan, const std::vector<Item>& items, bool supersede) override;
  Result<RunPlan> plan() override;
  Result<std::vector<Item>> items() override;
  Result<std::vector<Item>> items_of(const std::string& arm_id) override;
  Result<std::optional<PhaseRecord>> phase(const std::string& phase,
                                           const std::string& subject) override;
  Status record_phase(const PhaseRecord& record) override;
  Result<std::vector<PhaseRecord>> phases() override;
  Result<std::string> last_error() override;
  Status set_last_error(const std::string& json) override;
  Result<std::string> state() override;
  Status set_state(const std::string& state) override;
  Result<std::unique_ptr<ArmStore>> open_arm(const ArmSpec& arm) override;
  Result<std::unique_ptr<ArmStore>> open_arm_read_only(const ArmSpec& arm) override;
  Status verify() override;

 private:
  Status check_writable() const;
  Result<std::filesystem::path> place_of(const std::string& arm_id) const;

  const std::filesystem::path folder_;
  const std::optional<FileLock> lock_;  // held by a writer; outlives the database
  std::mutex mutex_;                    // guards database_
  const Database database_;
};

// REQUIRES: mutex_ is held.
Status SqliteRunStore::check_writable() const {
  if (!database_.writable()) {
    return Error{Code::state, database_.path().string() + ": opened for reading only"};
  }
  const Result<std::string> state = read_meta(database_, "state");
  if (!state) return state.error();
  if (*state != "sealed") return ok;
  return Error{Code::state, folder_.string() + ": the run is sealed and takes no more writes"};
}

Status SqliteRunStore::stamp_creation() {
  const std::lock_guard lock(mutex_);
  const Result<std::string> created = read_meta(database_, "created_at");
  if (!created) return created.error();
  if (!created->empty()) return ok;
  return database_.transaction([&]() -> Status {
    if (Status set = write_meta(database_, "created_at", utc_now()); !set) return set;
    return write_meta(database_, "state", "incomplete");
  });
}

Status SqliteRunStore::write_plan(const RunPlan& plan, const std::vector<Item>& items,
                                  bool supersede) {
  if (Status checked = check_plan(plan); !checked) return checked;
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  return database_.transaction([&]() -> Status {
    const Result<RunPlan> recorded = read_plan(database_);
    if (!recorded) return recorded.error();
    const std::string& pinned = recorded->items_sha256;
    if (!supersede && !pinned.empty() && pinned != plan.items_sha256) {
      return Error{Code::state, folder_.string() +
                                    ": the plan's items are not the ones pinned for this run "
                                    "(a data set or its selection was edited)"};
    }
    const Result<RunPlan> merged = merge_plan(*recorded, plan, supersede);
    if (!merged) return merged.error();
    if (Status done = pin_items(database_, plan.items_sha256, items); !done) return done;
    return replace_plan(database_, *merged, plan.arms);
  });
}

Result<RunPlan> SqliteRunStore::plan() {
  const std::lock_guard lock(mutex_);
  Result<RunPlan> plan = read_plan(database_);
  if (plan && plan->run_id.empty()) {
    return Error{Code::state, folder_.string() + ": the run has no plan yet"};
  }
  return plan;
}

Result<std::vector<Item>> SqliteRunStore::items() {
  const std::lock_guard lock(mutex_);
  const Result<std::string> hash = read_meta(database_, "items_sha256");
  if (!hash) return hash.error();
  return read_items(database_, *hash);
}

Result<std::vector<Item>> SqliteRunStore::items_of(const std::string& arm_id) {
  const std::lock_guard lock(mutex_);
  const Result<std::optional<std::string>> hash =
      database_.text_of("SELECT items_sha256 FROM arms WHERE arm_id = ?1", arm_id);
  if (!hash) return hash.error();
  if (!*hash) return Error{Code::not_found, folder_.string() + ": there is no arm " + arm_id};
  return read_items(database_, **hash);
}

Result<std::optional<PhaseRecord>> SqliteRunStore::phase(const std::string& phase,
                                                         const std::string& subject) {
  const std::lock_guard lock(mutex_);
  std::optional<PhaseRecord> out;
  Status read = database_.for_each_row(
      "SELECT * FROM phases WHERE phase = ?1 AND subject = ?2",
      [&](const Statement& row) -> Status {
        out = phase_from(row);
        return ok;
      },
      phase, subject);
  if (!read) return std::move(read).error();
  return out;
}

Status SqliteRunStore::record_phase(const PhaseRecord& record) {
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  return database_.execute("INSERT OR REPLACE INTO phases VALUES(?1, ?2, ?3, ?4, ?5)", record.phase,
                           record.subject, record.input_hash, record.outputs_json,
                           record.finished_at);
}

Result<std::vector<PhaseRecord>> SqliteRunStore::phases() {
  const std::lock_guard lock(mutex_);
  std::vector<PhaseRecord> out;
  Status read = database_.for_each_row("SELECT * FROM phases ORDER BY finished_at, phase, subject",
                                       [&](const Statement& row) -> Status {
                                         out.push_back(phase_from(row));
                                         return ok;
                                       });
  if (!read) return std::move(read).error();
  return out;
}

Result<std::string> SqliteRunStore::last_error() {
  const std::lock_guard lock(mutex_);
  return read_meta(database_, "last_error");
}

Status SqliteRunStore::set_last_error(const std::string& json) {
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  return write_meta(database_, "last_error", json);
}

Result<std::string> SqliteRunStore::state() {
  const std::lock_guard lock(mutex_);
  return read_meta(database_, "state");
}

Status SqliteRunStore::set_state(const std::string& state) {
  if (state != "complete" && state != "incomplete" && state != "sealed") {
    return Error{Code::internal, "\"" + state + "\" is no state of a run"};
  }
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  if (Status set = write_meta(database_, "state", state); !set) return set;
  return state == "sealed" ? database_.checkpoint() : Status(ok);
}

Result<std::filesystem::path> SqliteRunStore::place_of(const std::string& arm_id) const {
  const Result<std::optional<std::string>> document =
      database_.text_of("SELECT document FROM arms WHERE arm_id = ?1", arm_id);
  if (!document) return document.error();
  if (!*document) return Error{Code::not_found, folder_.string() + ": there is no arm " + arm_id};
  const std::optional<ArmSpec> spec = arm_spec_from_json(**document);
  if (!spec) return Error{Code::data, folder_.string() + ": the record of arms makes no sense"};
  return folder_ / spec->store_path;
}

Result<std::unique_ptr<ArmStore>> SqliteRunStore::open_arm(const ArmSpec& arm) {
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return std::move(writable).error();
  const Result<std::filesystem::path> place = place_of(arm.arm_id);
  if (!place) return place.error();
  return ArmStore::open(*place);
}

Result<std::unique_ptr<ArmStore>> SqliteRunStore::open_arm_read_only(const ArmSpec& arm) {
  const std::lock_guard lock(mutex_);
  const Result<std::filesystem::path> place = place_of(arm.arm_id);
  if (!place) return place.error();
  const bool sealed = !check_not_sealed(*place);
  return sealed ? ArmStore::open_immutable(*place) : ArmStore::open_read_only(*place);
}

Status SqliteRunStore::verify() {
  const std::lock_guard lock(mutex_);
  return database_.verify();
}

}  // namespace

Result<std::unique_ptr<RunStore>> RunStore::open_for_writing(
    const std::filesystem::path& run_folder) {
  std::string holder;
  // The time tells this holder from an earlier one with the same process id.
  Result<std::optional<FileLock>> lock = FileLock::try_take(
      run_folder / writer_lock_name, process_note() + " since " + utc_now(), &holder);
  if (!lock) return std::move(lock).error();
  if (!*lock) {
    return Error{Code::state, run_folder.string() + ": another process writes this run (" +
                                  (holder.empty() ? "it has just started" : holder) +
                                  "): a run has one writer at a time"};
  }
  Result<Database> database =
      Database::open(run_folder / run_database_name, run_format, Access::read_write);
  if (!database) return std::move(database).error();
  auto store = std::make_unique<SqliteRunStore>(run_folder, std::move(lock).value(),
                                                std::move(database).value());
  if (Status stamped = store->stamp_creation(); !stamped) return std::move(stamped).error();
  return std::unique_ptr<RunStore>(std::move(store));
}

Result<std::unique_ptr<RunStore>> RunStore::open_read_only(
    const std::filesystem::path& run_folder) {
  const std::filesystem::path file = run_folder / run_database_name;
  const Access access = check_not_sealed(file) ? Access::read_only : Access::immutable;
  Result<Database> database = Database::open(file, run_format, access);
  if (!database) return std::move(database).error();
  return std::unique_ptr<RunStore>(
      std::make_unique<SqliteRunStore>(run_folder, std::nullopt, std::move(database).value()));
}

}  // namespace promptsweep
