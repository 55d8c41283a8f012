// SPDX-License-Identifier: Apache-2.0
#include "store/arm_store.h"

#include <exception>
#include <mutex>
#include <unordered_map>

#include "store/arm_rows.h"
#include "store/arm_schema.h"
#include "store/database.h"
#include "store/group_commit.h"

namespace promptsweep {
namespace {

// Rows of for_each_accepted that are read under the lock at a time.
constexpr std::int64_t page_rows = 256;

class SqliteArmStore final : public ArmStore {
 public:
  explicit SqliteArmStore(Database database)
      : database_(std::move(database)),
        group_commit_([this](const auto& group) { return commit_group(group); }) {}
  ~SqliteArmStore() override { static_cast<void>(group_commit_.flush()); }

  // Reads which ids exist and which are accepted: what put_result decides by.
  Status load_index();

  Status initialise(const ArmSpec& arm, const std::vector<RequestRow>& rows) override;
  Result<ArmSpec> arm() override;
  Result<std::string> engine_identity() override;
  Status record_engine_identity(const std::string& identity_json) override;
  Result<ArmProgress> progress() override;
  Result<std::vector<RequestRow>> requests() override;
  Result<std::vector<RequestRow>> pending() override;

  Status record_job_intent(const JobRow& job, const std::vector<std::string>& ids) override;
  Status record_job_submitted(const std::string& job_id) override;
  Status record_checkpoint(const std::string& job_id, std::string_view token) override;
  Status record_job_terminal(const std::string& job_id, std::string_view how) override;
  Result<std::vector<JobRow>> open_jobs() override;
  Result<std::vector<std::string>> job_requests(const std::string& job_id) override;
  Result<std::int64_t> job_rounds(TaskType type) override;

  Status put_result(const ResultRow& row) override;
  Status flush() override { return group_commit_.flush(); }
  Result<std::int64_t> duplicates_dropped() override;
  Result<int> attempts_of(const std::string& request_id) override;
  Status for_each_accepted(const std::function<Status(const AcceptedResult&)>& visit) override;
  Result<std::optional<AcceptedResult>> accepted(const std::string& request_id) override;

  Result<std::string> scores_input_hash() override;
  Status put_scores(const std::string& input_hash,
                    const std::vector<std::pair<std::string, Score>>& by_request_id) override;
  Status verify() override;
  Status verify(const DifferenceSink& damaged) override;

 private:
  Status commit_group(const std::vector<BufferedResult>& group);
  Status check_writable() const;
  Status check_same(const ArmSpec& arm, const std::vector<RequestRow>& rows) const;
  Status insert_requests(const std::vector<RequestRow>& rows) const;
  Status change_one_job(const std::string& job_id, Status changed) const;
  Result<std::string> meta(const char* key) const;
  Status set_meta(const char* key, const std::string& value) const;
  Result<std::vector<RequestRow>> select_requests(const char* condition) const;
  Status read_row(const Statement& row, int first, AcceptedResult& out) const;

  std::mutex database_mutex_;  // guards the next two
  const Database database_;
  std::optional<Statement> select_accepted_;        // exports ask for every row
  std::mutex index_mutex_;                          // guards accepted_; taken alone
  std::unordered_map<std::string, bool> accepted_;  // every id: has a final result been taken?
  GroupCommit group_commit_;                        // last: its thread uses the members above
};

Status SqliteArmStore::check_writable() const {
  if (database_.writable()) return ok;
  return Error{Code::state, database_.path().string() + ": opened for reading only"};
}

Result<std::string> SqliteArmStore::meta(const char* key) const {
  const Result<std::optional<std::string>> value =
      database_.text_of("SELECT value FROM meta WHERE key = ?1", key);
  if (!value) return value.error();
  return value->value_or("");
}

Status SqliteArmStore::set_meta(const char* key, const std::string& value) const {
  return database_.execute("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", key, value);
}

Status SqliteArmStore::load_index() {
  std::unordered_map<std::string, bool> index;
  Status read = database_.for_each_row(
      "SELECT request_id, EXISTS(SELECT 1 FROM results WHERE results.request_id = "
      "requests.request_id) FROM requests",
      [&](const Statement& row) -> Status {
        index.emplace(row.text(0), row.integer(1) != 0);
        return ok;
      });
  if (!read) return read;
  const std::lock_guard lock(index_mutex_);
  accepted_ = std::move(index);
  return ok;
}

// --- the arm

Status SqliteArmStore::check_same(const ArmSpec& arm, const std::vector<RequestRow>& rows) const {
  const std::string name = database_.path().string();
  const Result<std::string> recorded = meta("arm_id");
  if (!recorded) return recorded.error();
  if (*recorded != arm.arm_id) {
    return Error{Code::state, name + ": holds arm " + *recorded + ", not " + arm.arm_id};
  }
  const Result<std::vector<RequestRow>> known = select_requests("");
  if (!known) return known.error();
  std::unordered_map<std::string, bool> expected;
  for (const RequestRow& row : *known) expected.emplace(row.request_id, false);
  for (const RequestRow& row : rows) {
    const auto found = expected.find(row.request_id);
    if (found == expected.end() || std::exchange(found->second, true)) {
      return Error{Code::state, name + ": request " + row.custom_id + " (" + row.request_id +
                                    ") is not among the arm's recorded requests"};
    }
  }
  if (rows.size() != expected.size()) {
    return Error{Code::state, name + ": the arm has " + std::to_string(expected.size()) +
                                  " recorded requests, the plan " + std::to_string(rows.size())};
  }
  return ok;
}

Status SqliteArmStore::insert_requests(const std::vector<RequestRow>& rows) const {
  Result<Statement> insert = database_.prepare("INSERT INTO requests VALUES(?,?,?,?,?,?,?,?)");
  if (!insert) return std::move(insert).error();
  std::int64_t position = 0;
  for (const RequestRow& row : rows) {
    Status done =
        insert
            ->bind(position++, row.request_id, row.custom_id, row.item_key, row.sample_index,
                   to_string(row.type), std::int64_t{row.seed}, row.content_sha256)
            .run();
    if (!done) return std::move(done).error().in("request " + row.custom_id);
  }
  return ok;
}

Status SqliteArmStore::initialise(const ArmSpec& arm, const std::vector<RequestRow>& rows) {
  if (Status writable = check_writable(); !writable) return writable;
  {
    const std::lock_guard lock(database_mutex_);
    const Result<std::string> recorded = meta("arm_id");
    if (!recorded) return recorded.error();
    if (!recorded->empty()) return check_same(arm, rows);
    std::string document;
    try {
      document = to_json(arm);
    } catch (const std::exception& failed) {  // text that is no UTF-8
      return Error{Code::data, "arm " + arm.arm_id + ": " + failed.what()};
    }
    Status done = database_.transaction([&]() -> Status {
      if (Status set = set_meta("arm_id", arm.arm_id); !set) return set;
      if (Status set = set_meta("arm", document); !set) return set;
      return insert_requests(rows);
    });
    if (!done) return done;
  }
  const std::lock_guard lock(index_mutex_);
  for (const RequestRow& row : rows) accepted_.emplace(row.request_id, false);
  return ok;
}

Result<ArmSpec> SqliteArmStore::arm() {
  const std::lock_guard lock(database_mutex_);
  const Result<std::string> document = meta("arm");
  if (!document) return document.error();
  const std::string name = database_.path().string();
  if (document->empty()) return Error{Code::state, name + ": the store holds no arm yet"};
  std::optional<ArmSpec> spec = arm_spec_from_json(*document);
  if (!spec) return Error{Code::data, name + ": the arm's record makes no sense"};
  return *std::move(spec);
}

Result<std::string> SqliteArmStore::engine_identity() {
  const std::lock_guard lock(database_mutex_);
  return meta("engine_identity");
}

Status SqliteArmStore::record_engine_identity(const std::string& identity_json) {
  if (Status writable = check_writable(); !writable) return writable;
  const std::lock_guard lock(database_mutex_);
  const Result<std::string> recorded = meta("engine_identity");
  if (!recorded) return recorded.error();
  if (recorded->empty()) return set_meta("engine_identity", identity_json);
  if (*recorded == identity_json) return ok;
  return Error{Code::state, database_.path().string() + ": the arm was answered by the engine " +
                                *recorded + ", now it is " + identity_json};
}

Result<ArmProgress> SqliteArmStore::progress() {
  const std::lock_guard lock(database_mutex_);
  ArmProgress out;
  // One read transaction, so that the numbers fit together beside a writer.
  if (Status begun = database_.execute("BEGIN"); !begun) return std::move(begun).error();
  Status counted = count_progress(database_, out);
  Status ended = database_.execute("COMMIT");
  if (!counted) return std::move(counted).error();
  if (!ended) return std::move(ended).error();
  return out;
}

Result<std::vector<RequestRow>> SqliteArmStore::select_requests(const char* condition) const {
  std::vector<RequestRow> out;
  Status read = database_.for_each_row(std::string("SELECT ") + request_columns +
                                           " FROM requests q " + condition + " ORDER BY q.position",
                                       [&](const Statement& row) -> Status {
                                         out.push_back(request_from(row, 0));
                                         return ok;
                                       });
  if (!read) return std::move(read).error();
  return out;
}

Result<std::vector<RequestRow>> SqliteArmStore::requests() {
  const std::lock_guard lock(database_mutex_);
  return select_requests("");
}

Result<std::vector<RequestRow>> SqliteArmStore::pending() {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  return select_requests(
      "WHERE NOT EXISTS(SELECT 1 FROM results r WHERE r.request_id = q.request_id)"
      " AND NOT EXISTS(SELECT 1 FROM job_requests j WHERE j.request_id = q.request_id"
      " AND j.open = 1)");
}

// --- jobs

Status SqliteArmStore::record_job_intent(const JobRow& job, const std::vector<std::string>& ids) {
  if (Status writable = check_writable(); !writable) return writable;
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  return database_.transaction([&]() -> Status { return insert_job(database_, job, ids); });
}

// REQUIRES: `changed` is the status of the latest statement, an UPDATE of one job.
Status SqliteArmStore::change_one_job(const std::string& job_id, Status changed) const {
  if (!changed || database_.changed_rows() == 1) return changed;
  return Error{Code::not_found, database_.path().string() + ": there is no open job " + job_id};
}

Status SqliteArmStore::record_job_submitted(const std::string& job_id) {
  if (Status writable = check_writable(); !writable) return writable;
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  return change_one_job(
      job_id,
      database_.execute(
          "UPDATE jobs SET state = 'submitted' WHERE job_id = ?1 AND state <> 'terminal'", job_id));
}

Status SqliteArmStore::record_checkpoint(const std::string& job_id, std::string_view token) {
  if (Status writable = check_writable(); !writable) return writable;
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  return change_one_job(
      job_id, database_.execute(
                  "UPDATE jobs SET resume_token = ?2 WHERE job_id = ?1 AND state <> 'terminal'",
                  job_id, token));
}

Status SqliteArmStore::record_job_terminal(const std::string& job_id, std::string_view how) {
  if (Status writable = check_writable(); !writable) return writable;
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  return database_.transaction([&]() -> Status {
    Status ended = change_one_job(
        job_id, database_.execute("UPDATE jobs SET state = 'terminal', ended = ?2 WHERE job_id = ?1"
                                  " AND state <> 'terminal'",
                                  job_id, how));
    if (!ended) return ended;
    return database_.execute("UPDATE job_requests SET open = 0 WHERE job_id = ?1", job_id);
  });
}

Result<std::vector<JobRow>> SqliteArmStore::open_jobs() {
  const std::lock_guard lock(database_mutex_);
  std::vector<JobRow> out;
  Status read = database_.for_each_row(std::string("SELECT ") + job_columns +
                                           " FROM jobs WHERE state <> 'terminal' ORDER BY ordinal",
                                       [&](const Statement& row) -> Status {
                                         out.push_back(job_from(row));
                                         return ok;
                                       });
  if (!read) return std::move(read).error();
  return out;
}

Result<std::vector<std::string>> SqliteArmStore::job_requests(const std::string& job_id) {
  const std::lock_guard lock(database_mutex_);
  std::vector<std::string> out;
  Status read = database_.for_each_row(
      "SELECT request_id FROM job_requests WHERE job_id = ?1 ORDER BY line",
      [&](const Statement& row) -> Status {
        out.push_back(row.text(0));
        return ok;
      },
      job_id);
  if (!read) return std::move(read).error();
  return out;
}

Result<std::int64_t> SqliteArmStore::job_rounds(TaskType type) {
  const std::lock_guard lock(database_mutex_);
  return database_.integer_of("SELECT COUNT(*) FROM jobs WHERE type = ?1", to_string(type));
}

// --- results

Status SqliteArmStore::put_result(const ResultRow& row) {
  if (Status writable = check_writable(); !writable) return writable;
  BufferedResult result{row, Disposition::transient};
  {
    const std::lock_guard lock(index_mutex_);
    const auto known = accepted_.find(row.request_id);
    if (known == accepted_.end()) {
      return Error{Code::data, database_.path().string() + ": a result for the unknown request " +
                                   row.request_id};
    }
    if (is_final(row.outcome)) {
      const bool again = std::exchange(known->second, true);
      result.disposition = again ? Disposition::duplicate : Disposition::accepted;
    }
  }
  const bool first = result.disposition == Disposition::accepted;
  Status put = group_commit_.put(std::move(result));
  if (!put && first) {
    const std::lock_guard lock(index_mutex_);
    accepted_[row.request_id] = false;
  }
  return put;
}

Status SqliteArmStore::commit_group(const std::vector<BufferedResult>& group) {
  const std::lock_guard lock(database_mutex_);
  return database_.transaction([&]() -> Status { return insert_results(database_, group); });
}

Result<std::int64_t> SqliteArmStore::duplicates_dropped() {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  return database_.integer_of("SELECT COUNT(*) FROM attempts WHERE disposition = 'duplicate'");
}

Result<int> SqliteArmStore::attempts_of(const std::string& request_id) {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  const Result<std::int64_t> count =
      database_.integer_of("SELECT COUNT(*) FROM attempts WHERE request_id = ?1", request_id);
  if (!count) return count.error();
  return static_cast<int>(*count);
}

Status SqliteArmStore::read_row(const Statement& row, int first, AcceptedResult& out) const {
  Status read = read_accepted(row, first, out);
  if (!read) return std::move(read).error().in(database_.path().string());
  return read;
}

Status SqliteArmStore::for_each_accepted(
    const std::function<Status(const AcceptedResult&)>& visit) {
  if (Status flushed = flush(); !flushed) return flushed;
  const std::string select = std::string("SELECT q.position, ") + accepted_columns +
                             " WHERE q.position > ?1 ORDER BY q.position LIMIT ?2";
  std::int64_t last = -1;
  while (true) {
    std::vector<AcceptedResult> page;
    {
      const std::lock_guard lock(database_mutex_);
      Status read = database_.for_each_row(
          select,
          [&](const Statement& row) {
            last = row.integer(0);
            return read_row(row, 1, page.emplace_back());
          },
          last, page_rows);
      if (!read) return read;
    }
    if (page.empty()) return ok;
    for (const AcceptedResult& result : page) {
      if (Status visited = visit(result); !visited) return visited;
    }
  }
}

Result<std::optional<ArmStore::AcceptedResult>> SqliteArmStore::accepted(
    const std::string& request_id) {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  if (!select_accepted_) {
    Result<Statement> prepared =
        database_.prepare(std::string("SELECT ") + accepted_columns + " WHERE q.request_id = ?1");
    if (!prepared) return std::move(prepared).error();
    select_accepted_ = std::move(prepared).value();
  }
  std::optional<AcceptedResult> out;
  const Result<bool> found = select_accepted_->bind(request_id).step();
  Status read = found ? Status(ok) : Status(found.error());
  if (found && *found) read = read_row(*select_accepted_, 0, out.emplace());
  select_accepted_->reset();  // ends its read transaction
  if (!read) return std::move(read).error();
  return out;
}

// --- scores

Result<std::string> SqliteArmStore::scores_input_hash() {
  const std::lock_guard lock(database_mutex_);
  return meta("scores_input_hash");
}

Status SqliteArmStore::put_scores(const std::string& input_hash,
                                  const std::vector<std::pair<std::string, Score>>& by_request_id) {
  if (Status writable = check_writable(); !writable) return writable;
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  return database_.transaction([&]() -> Status {
    const Result<std::string> recorded = meta("scores_input_hash");
    if (!recorded) return recorded.error();
    if (*recorded != input_hash) {
      if (Status cleared = database_.execute("DELETE FROM scores"); !cleared) return cleared;
    }
    if (Status set = set_meta("scores_input_hash", input_hash); !set) return set;
    return insert_scores(database_, by_request_id);
  });
}

Status SqliteArmStore::verify() {
  std::optional<Difference> first;
  Status sound = verify([&](const Difference& damage) {
    if (!first) first = damage;
  });
  if (!sound || !first) return sound;
  return Error{Code::data, first->file + ": " + first->row + ": " + first->says};
}

Status SqliteArmStore::verify(const DifferenceSink& damaged) {
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  if (Status sound = database_.verify(); !sound) return sound;
  if (Status found = find_damaged_results(database_, damaged); !found) return found;
  return check_rules(database_);
}

Result<std::unique_ptr<ArmStore>> open_store(const std::filesystem::path& path, Access access) {
  Result<Database> database = Database::open(path, arm_format, access);
  if (!database) return std::move(database).error();
  if (access == Access::read_write) {
    if (Status added = add_digest_column(*database); !added) return std::move(added).error();
  }
  auto store = std::make_unique<SqliteArmStore>(std::move(database).value());
  if (access == Access::read_write) {
    if (Status loaded = store->load_index(); !loaded) return std::move(loaded).error();
  }
  return std::unique_ptr<ArmStore>(std::move(store));
}

}  // namespace

Result<std::unique_ptr<ArmStore>> ArmStore::open(const std::filesystem::path& path) {
  return open_store(path, Access::read_write);
}

Result<std::unique_ptr<ArmStore>> ArmStore::open_read_only(const std::filesystem::path& path) {
  return open_store(path, Access::read_only);
}

Result<std::unique_ptr<ArmStore>> ArmStore::open_immutable(const std::filesystem::path& path) {
  return open_store(path, Access::immutable);
}

}  // namespace promptsweep
