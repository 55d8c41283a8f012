// SPDX-License-Identifier: Apache-2.0
#include "store/run_store.h"

#include <mutex>
#include <utility>

#include "store/arm_store.h"
#include "store/plan_merge.h"
#include "store/plan_rows.h"
#include "store/removal.h"
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

constexpr std::int64_t page_rows = 256;

// A pinned set, read from the run's store; shares its database and the mutex that guards it.
class PinnedItems final : public ItemSource {
 public:
  PinnedItems(const Database& database, std::mutex& mutex, std::string items_sha256,
              std::int64_t size)
      : database_(database), mutex_(mutex), items_sha256_(std::move(items_sha256)), size_(size) {}

  std::int64_t size() const override { return size_; }

  Status for_each(const Visit& visit) const override {
    std::int64_t next = 0;
    while (true) {
      std::vector<std::string> page;
      {
        const std::lock_guard lock(mutex_);
        Status read = database_.for_each_row(
            "SELECT document FROM items WHERE items_sha256 = ?1 AND position >= ?2"
            " ORDER BY position LIMIT ?3",
            [&](const Statement& row) -> Status {
              page.push_back(row.text(0));
              return ok;
            },
            items_sha256_, next, page_rows);
        if (!read) return read;
      }
      if (page.empty()) return ok;
      for (const std::string& document : page) {
        const Result<Item> item = item_from(document);
        if (!item) return item.error();
        if (Status visited = visit(next++, *item); !visited) return visited;
      }
    }
  }

  Result<std::optional<Item>> find(const std::string& item_key) const override {
    Result<std::vector<std::optional<std::string>>> documents = documents_of({item_key});
    if (!documents) return std::move(documents).error();
    if (!documents->front()) return std::optional<Item>();
    Result<Item> item = item_from(*documents->front());
    if (!item) return std::move(item).error();
    return std::optional<Item>(std::move(item).value());
  }

  Result<std::vector<Item>> find_all(const std::vector<std::string>& item_keys) const override {
    Result<std::vector<std::optional<std::string>>> documents = documents_of(item_keys);
    if (!documents) return std::move(documents).error();
    std::vector<Item> out;
    out.reserve(item_keys.size());
    for (std::size_t i = 0; i < item_keys.size(); ++i) {
      if (!(*documents)[i]) return Error{Code::data, "no item " + item_keys[i]};
      Result<Item> item = item_from(*(*documents)[i]);
      if (!item) return std::move(item).error();
      out.push_back(std::move(item).value());
    }
    return out;
  }

 private:
  // nullopt where there is no item of a key.
  Result<std::vector<std::optional<std::string>>> documents_of(
      const std::vector<std::string>& item_keys) const {
    const std::lock_guard lock(mutex_);
    if (!select_) {
      Result<Statement> prepared = select_by_key();
      if (!prepared) return std::move(prepared).error();
      select_ = std::move(prepared).value();
    }
    std::vector<std::optional<std::string>> out;
    out.reserve(item_keys.size());
    std::optional<ReadTransaction> together;
    if (item_keys.size() > 1) together.emplace(database_);
    for (const std::string& key : item_keys) {
      const Result<bool> found = select_->bind(items_sha256_, key).step();
      if (found) out.push_back(*found ? std::optional(select_->text(0)) : std::nullopt);
      select_->reset();  // ends its read transaction
      if (!found) return found.error();
    }
    return out;
  }

  // The index is named, since SQLite would rather walk the whole set by its primary key. A store
  // that was made without it and is read only is walked.
  Result<Statement> select_by_key() const {
    const auto prepare = [&](const char* by) {
      return database_.prepare(std::string("SELECT document FROM items ") + by +
                               " WHERE items_sha256 = ?1 AND item_key = ?2");
    };
    Result<Statement> indexed = prepare("INDEXED BY items_by_key");
    return indexed ? std::move(indexed) : prepare("");
  }

  Result<Item> item_from(const std::string& document) const {
    std::optional<Item> item = item_from_json(document);
    if (item) return *std::move(item);
    return Error{Code::data, database_.path().string() + ": the record of items makes no sense"};
  }

  const Database& database_;
  std::mutex& mutex_;
  const std::string items_sha256_;
  const std::int64_t size_;
  mutable std::optional<Statement> select_;
};
// Whoever opens a store for writing has a log beside it until it closes; so has one that was
// killed.
// A reader of another program leaves an empty log behind, which holds nothing back.
bool is_empty_and_nobodys(const std::filesystem::path& log,
                          const std::filesystem::path& run_folder) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(log, failed);
  if (failed || size > 0) return false;
  const Result<std::optional<std::string>> writer = FileLock::holder(run_folder / writer_lock_name);
  return writer && !*writer;
}

Status check_no_log(const std::filesystem::path& file, const std::filesystem::path& run_folder) {
  std::filesystem::path log = file;
  log += "-wal";
  std::error_code failed;
  // Nobody writes a sealed run: what lies beside its stores says nothing.
  if (!std::filesystem::exists(log, failed) || !check_not_sealed(file)) return ok;
  if (is_empty_and_nobodys(log, run_folder)) return ok;
  return Error{Code::state, file.string() + ": a log lies beside the store: another process has " +
                                "the run open, or one was killed and the run is to be resumed"};
}

class SqliteRunStore final : public RunStore {
 public:
  // `arm_access`: of arms that are opened for reading.
  SqliteRunStore(std::filesystem::path folder, std::optional<FileLock> lock, Database database,
                 Access arm_access)
      : folder_(std::move(folder)),
        lock_(std::move(lock)),
        arm_access_(arm_access),
        database_(std::move(database)) {}

  Status stamp_creation();

  const std::filesystem::path& folder() const override { return folder_; }
  Status write_plan(const RunPlan& plan, const ItemSource& items, bool supersede) override;
  Result<RunPlan> plan() override;
  Result<std::unique_ptr<ItemSource>> items() override;
  Result<std::unique_ptr<ItemSource>> items_of(const std::string& arm_id) override;
  Result<std::unique_ptr<ItemSource>> pinned_items(const std::string& items_sha256) override;
  Result<std::string> items_sha256_of(const std::string& arm_id) override;
  Result<std::optional<SelectionRecord>> selection() override;
  Status record_selection(const SelectionRecord& record) override;
  Status forget_superseded() override;
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
  Result<std::string> result_settings() override;
  Status record_result_settings(const std::string& json) override;
  Status verify() override;
  Status find_damaged_items(const DifferenceSink& found) override;

 private:
  Status check_writable() const;
  Status add_items_index();
  Result<std::filesystem::path> place_of(const std::string& arm_id) const;

  const std::filesystem::path folder_;
  const std::optional<FileLock> lock_;  // held by a writer; outlives the database
  const Access arm_access_;
  std::mutex mutex_;  // guards database_
  const Database database_;
};

// REQUIRES: mutex_ is held.
Status SqliteRunStore::check_writable() const {
  const Result<std::string> state = read_meta(database_, "state");
  if (!state) return state.error();
  if (*state == "sealed") {
    return Error{Code::state, folder_.string() + ": the run is sealed and takes no more writes"};
  }
  if (database_.writable()) return ok;
  return Error{Code::state, database_.path().string() + ": opened for reading only"};
}

// Stores made before items were looked up by key lack it.
Status SqliteRunStore::add_items_index() {
  const Result<std::int64_t> there = database_.integer_of(
      "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index' AND name = 'items_by_key'");
  if (!there) return there.error();
  if (*there > 0 || !check_writable()) return ok;
  return database_.execute("CREATE INDEX items_by_key ON items(items_sha256, item_key)");
}

Status SqliteRunStore::stamp_creation() {
  const std::lock_guard lock(mutex_);
  const Result<std::string> created = read_meta(database_, "created_at");
  if (!created) return created.error();
  if (!created->empty()) return add_items_index();
  return database_.transaction([&]() -> Status {
    if (Status set = write_meta(database_, "created_at", utc_now()); !set) return set;
    return write_meta(database_, "state", "incomplete");
  });
}

Status SqliteRunStore::write_plan(const RunPlan& plan, const ItemSource& items, bool supersede) {
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

Result<std::unique_ptr<ItemSource>> SqliteRunStore::items() {
  std::string hash;
  std::int64_t size = 0;
  {
    const std::lock_guard lock(mutex_);
    Result<std::string> recorded = read_meta(database_, "items_sha256");
    if (!recorded) return std::move(recorded).error();
    hash = std::move(recorded).value();
    const Result<std::int64_t> count = count_items(database_, hash);
    if (!count) return count.error();
    size = *count;
  }
  return std::unique_ptr<ItemSource>(
      std::make_unique<PinnedItems>(database_, mutex_, std::move(hash), size));
}

Result<std::unique_ptr<ItemSource>> SqliteRunStore::pinned_items(const std::string& items_sha256) {
  const std::lock_guard lock(mutex_);
  const Result<std::int64_t> count = count_items(database_, items_sha256);
  if (!count) return count.error();
  if (*count == 0) {
    return Error{Code::not_found, folder_.string() + ": no items are pinned under " + items_sha256};
  }
  return std::unique_ptr<ItemSource>(
      std::make_unique<PinnedItems>(database_, mutex_, items_sha256, *count));
}

Result<std::string> SqliteRunStore::items_sha256_of(const std::string& arm_id) {
  const std::lock_guard lock(mutex_);
  const Result<std::optional<std::string>> hash =
      database_.text_of("SELECT items_sha256 FROM arms WHERE arm_id = ?1", arm_id);
  if (!hash) return hash.error();
  if (!*hash) return Error{Code::not_found, folder_.string() + ": there is no arm " + arm_id};
  return **hash;
}

Result<std::unique_ptr<ItemSource>> SqliteRunStore::items_of(const std::string& arm_id) {
  const Result<std::string> hash = items_sha256_of(arm_id);
  if (!hash) return hash.error();
  return pinned_items(*hash);
}

Result<std::optional<SelectionRecord>> SqliteRunStore::selection() {
  const std::lock_guard lock(mutex_);
  SelectionRecord out;
  for (const auto& [key, member] : {std::pair("selection_input_hash", &SelectionRecord::input_hash),
                                    std::pair("selection", &SelectionRecord::facts_json)}) {
    Result<std::string> value = read_meta(database_, key);
    if (!value) return std::move(value).error();
    out.*member = std::move(value).value();
  }
  if (out.input_hash.empty()) return std::optional<SelectionRecord>();
  return std::optional<SelectionRecord>(std::move(out));
}

Status SqliteRunStore::record_selection(const SelectionRecord& record) {
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  return database_.transaction([&]() -> Status {
    Status set = write_meta(database_, "selection_input_hash", record.input_hash);
    return set ? write_meta(database_, "selection", record.facts_json) : std::move(set);
  });
}

Status SqliteRunStore::forget_superseded() {
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  return database_.transaction([&]() -> Status {
    const Result<RunPlan> plan = read_plan(database_);
    if (!plan) return plan.error();
    for (const TrialSpec& trial : plan->trials) {
      if (!trial.superseded) continue;
      Status forgotten = database_.execute("DELETE FROM phases WHERE subject = ?1", trial.slug);
      if (!forgotten) return forgotten;
    }
    return replace_plan(database_, without_superseded(*plan), {});
  });
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
  const bool immutable = arm_access_ == Access::immutable || !check_not_sealed(*place);
  if (!immutable) return ArmStore::open_read_only(*place);
  if (Status quiet = check_no_log(*place, folder_); !quiet) return std::move(quiet).error();
  return ArmStore::open_immutable(*place);
}

Result<std::string> SqliteRunStore::result_settings() {
  const std::lock_guard lock(mutex_);
  return read_meta(database_, "result_settings");
}

Status SqliteRunStore::record_result_settings(const std::string& json) {
  const std::lock_guard lock(mutex_);
  if (Status writable = check_writable(); !writable) return writable;
  return write_meta(database_, "result_settings", json);
}

Status SqliteRunStore::verify() {
  const std::lock_guard lock(mutex_);
  return database_.verify();
}

Status SqliteRunStore::find_damaged_items(const DifferenceSink& found) {
  const std::lock_guard lock(mutex_);
  return promptsweep::find_damaged_items(database_, found);
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
  // Of a sealed run nothing can be written, and its owner may have no right to.
  const std::filesystem::path file = run_folder / run_database_name;
  const Access access = check_not_sealed(file) ? Access::read_write : Access::immutable;
  Result<Database> database = Database::open(file, run_format, access);
  if (!database) return std::move(database).error();
  auto store = std::make_unique<SqliteRunStore>(run_folder, std::move(lock).value(),
                                                std::move(database).value(), Access::read_only);
  if (Status stamped = store->stamp_creation(); !stamped) return std::move(stamped).error();
  return std::unique_ptr<RunStore>(std::move(store));
}

Result<std::unique_ptr<RunStore>> RunStore::open_read_only(
    const std::filesystem::path& run_folder) {
  const std::filesystem::path file = run_folder / run_database_name;
  const Access access = check_not_sealed(file) ? Access::read_only : Access::immutable;
  Result<Database> database = Database::open(file, run_format, access);
  if (!database) return std::move(database).error();
  return std::unique_ptr<RunStore>(std::make_unique<SqliteRunStore>(
      run_folder, std::nullopt, std::move(database).value(), access));
}

Result<std::unique_ptr<RunStore>> RunStore::open_immutable(
    const std::filesystem::path& run_folder) {
  const std::filesystem::path file = run_folder / run_database_name;
  if (Status quiet = check_no_log(file, run_folder); !quiet) return std::move(quiet).error();
  Result<Database> database = Database::open(file, run_format, Access::immutable);
  if (!database) return std::move(database).error();
  return std::unique_ptr<RunStore>(std::make_unique<SqliteRunStore>(
      run_folder, std::nullopt, std::move(database).value(), Access::immutable));
}

}  // namespace promptsweep
