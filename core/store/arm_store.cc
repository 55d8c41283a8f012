// SPDX-License-Identifier: Apache-2.0
#include "store/arm_store.h"

#include <exception>
#include <mutex>
#include <utility>

#include "base/digest.h"
#include "store/arm_rows.h"
#include "store/arm_schema.h"
#include "store/database.h"
#include "store/group_commit.h"
#include "store/request_index.h"

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

  using ArmStore::initialise;
  Status initialise(const ArmSpec& arm, const ProduceRequests& produce) override;
  Result<ArmSpec> arm() override;
  Result<std::string> store_id() override;
  Result<std::string> engine_identity() override;
  Status record_engine_identity(const std::string& identity_json) override;
  Result<ArmProgress> progress() override;
  Status for_each_request(
      const std::function<Status(std::int64_t, const RequestRow&)>& visit) override;
  Result<std::vector<RequestRow>> requests() override;
  Result<std::vector<RequestRow>> pending() override;
  Result<std::vector<RequestState>> request_states() override;
  Result<std::vector<RequestRow>> requests_at(const std::vector<std::int64_t>& positions) override;

  Status record_job_intent(const JobRow& job, const std::vector<std::string>& ids) override;
  Status record_job_submitted(const std::string& job_id) override;
  Status record_checkpoint(const std::string& job_id, std::string_view token) override;
  Status record_job_terminal(const std::string& job_id, std::string_view how) override;
  Result<std::vector<JobRow>> open_jobs() override;
  Result<std::vector<RequestRow>> job_requests(const std::string& job_id) override;
  Result<std::int64_t> job_rounds(TaskType type) override;

  Status put_result(const ResultRow& row) override;
  Status flush() override { return group_commit_.flush(); }
  Result<std::int64_t> duplicates_dropped() override;
  Result<int> attempts_of(const std::string& request_id) override;
  Status read_page(std::int64_t first, std::int64_t count,
                   std::vector<StoredRequest>& out) override;
  Status for_each_accepted(const std::function<Status(const AcceptedResult&)>& visit) override;
  Result<std::optional<AcceptedResult>> accepted(const std::string& request_id) override;

  Result<std::string> scores_input_hash() override;
  Status put_scores(const std::string& input_hash,
                    const std::vector<std::pair<std::string, Score>>& by_request_id) override;
  Status score_all(
      const std::string& input_hash,
      const std::function<Result<std::optional<Score>>(const AcceptedResult&)>& score_of) override;
  Status verify() override;
  Status verify(const DifferenceSink& damaged) override;

 private:
  Status commit_group(const std::vector<BufferedResult>& group);
  Status check_writable() const;
  Status check_same(const ArmSpec& arm, const ProduceRequests& produce) const;
  Status check_each(const ProduceRequests& produce) const;
  Result<std::string> insert_requests(const ProduceRequests& produce) const;
  Status change_one_job(const std::string& job_id, Status changed) const;
  Result<std::string> meta(const char* key) const;
  Status set_meta(const char* key, const std::string& value) const;
  Result<std::vector<RequestRow>> select_requests(const char* condition) const;
  Status read_row(const Statement& row, int first, AcceptedResult& out) const;

  std::mutex database_mutex_;  // guards the next three
  const Database database_;
  std::optional<Statement> select_accepted_, select_page_;  // exports ask for every row
  std::mutex index_mutex_;                                  // guards accepted_; taken alone
  RequestIndex accepted_;     // every id: has a final result been taken?
  GroupCommit group_commit_;  // last: its thread uses the members above
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
  Result<RequestIndex> index = RequestIndex::build([&](const RequestIndex::Take& take) {
    return database_.for_each_row(
        "SELECT request_id, EXISTS(SELECT 1 FROM results WHERE results.request_id = "
        "requests.request_id) FROM requests",
        [&](const Statement& row) -> Status {
          take(row.text(0), row.integer(1) != 0);
          return ok;
        });
  });
  if (!index) return std::move(index).error();
  const std::lock_guard lock(index_mutex_);
  accepted_ = std::move(index).value();
  return ok;
}

// --- the arm

// What names the rows of an arm: their ids in order.
class RequestsHash {
 public:
  void add(const RequestRow& row) { hash_.update(FieldHash().add(row.request_id).bytes()); }
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

Status SqliteArmStore::check_same(const ArmSpec& arm, const ProduceRequests& produce) const {
  const std::string name = database_.path().string();
  const Result<std::string> recorded = meta("arm_id");
  if (!recorded) return recorded.error();
  if (*recorded != arm.arm_id) {
    return Error{Code::state, name + ": holds arm " + *recorded + ", not " + arm.arm_id};
  }
  const Result<std::string> known = meta("requests_sha256");
  if (!known) return known.error();
  RequestsHash hash;
  Status produced = produce([&](const RequestRow& row) -> Status {
    hash.add(row);
    return ok;
  });
  if (!produced) return produced;
  return hash.hex() == *known ? Status(ok) : check_each(produce);
}

// The rows differ, or only their order does.
Status SqliteArmStore::check_each(const ProduceRequests& produce) const {
  const std::string name = database_.path().string();
  const Result<std::int64_t> expected = database_.integer_of("SELECT COUNT(*) FROM requests");
  if (!expected) return expected.error();
  Result<Statement> place =
      database_.prepare("SELECT position FROM requests WHERE request_id = ?1");
  if (!place) return std::move(place).error();
  std::vector<bool> seen(static_cast<std::size_t>(*expected));
  std::int64_t count = 0;
  Status checked = produce([&](const RequestRow& row) -> Status {
    ++count;
    const Result<bool> found = place->bind(row.request_id).step();
    if (!found) return found.error();
    const auto position = *found ? static_cast<std::size_t>(place->integer(0)) : seen.size();
    place->reset();
    if (position >= seen.size() || seen[position]) {
      return Error{Code::state, name + ": request " + row.custom_id + " (" + row.request_id +
                                    ") is not among the arm's recorded requests"};
    }
    seen[position] = true;
    return ok;
  });
  if (!checked) return checked;
  if (count != *expected) {
    return Error{Code::state, name + ": the arm has " + std::to_string(*expected) +
                                  " recorded requests, the plan " + std::to_string(count)};
  }
  return ok;
}

Result<std::string> SqliteArmStore::insert_requests(const ProduceRequests& produce) const {
  Result<Statement> insert = database_.prepare("INSERT INTO requests VALUES(?,?,?,?,?,?,?,?)");
  if (!insert) return std::move(insert).error();
  std::int64_t position = 0;
  RequestsHash hash;
  Status produced = produce([&](const RequestRow& row) -> Status {
    hash.add(row);
    Status done =
        insert
            ->bind(position++, row.request_id, row.custom_id, row.item_key, row.sample_index,
                   to_string(row.type), std::int64_t{row.seed}, row.content_sha256)
            .run();
    if (!done) return std::move(done).error().in("request " + row.custom_id);
    return ok;
  });
  if (!produced) return std::move(produced).error();
  return hash.hex();
}

Status SqliteArmStore::initialise(const ArmSpec& arm, const ProduceRequests& produce) {
  if (Status writable = check_writable(); !writable) return writable;
  const std::lock_guard lock(database_mutex_);
  const Result<std::string> recorded = meta("arm_id");
  if (!recorded) return recorded.error();
  if (!recorded->empty()) return check_same(arm, produce);
  std::string document;
  try {
    document = to_json(arm);
  } catch (const std::exception& failed) {  // text that is no UTF-8
    return Error{Code::data, "arm " + arm.arm_id + ": " + failed.what()};
  }
  Status done = database_.transaction([&]() -> Status {
    if (Status set = set_meta("arm_id", arm.arm_id); !set) return set;
    if (Status set = set_meta("arm", document); !set) return set;
    Status named =
        database_.execute("INSERT INTO meta VALUES('store_id', lower(hex(randomblob(16))))");
    if (!named) return named;
    const Result<std::string> hash = insert_requests(produce);
    if (!hash) return hash.error();
    return set_meta("requests_sha256", *hash);
  });
  if (!done) return done;
  return load_index();
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

Result<std::string> SqliteArmStore::store_id() {
  const std::lock_guard lock(database_mutex_);
  return meta("store_id");
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

Status SqliteArmStore::for_each_request(
    const std::function<Status(std::int64_t, const RequestRow&)>& visit) {
  const std::string select = std::string("SELECT q.position, ") + request_columns +
                             " FROM requests q WHERE q.position >= ?1 ORDER BY q.position LIMIT ?2";
  std::int64_t next = 0;
  while (true) {
    std::vector<RequestRow> page;
    {
      const std::lock_guard lock(database_mutex_);
      Status read = database_.for_each_row(
          select,
          [&](const Statement& row) -> Status {
            page.push_back(request_from(row, 1));
            return ok;
          },
          next, page_rows);
      if (!read) return read;
    }
    if (page.empty()) return ok;
    for (const RequestRow& row : page) {
      if (Status visited = visit(next++, row); !visited) return visited;
    }
  }
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

Result<std::vector<ArmStore::RequestState>> SqliteArmStore::request_states() {
  if (Status flushed = flush(); !flushed) return std::move(flushed).error();
  const std::lock_guard lock(database_mutex_);
  std::vector<RequestState> out;
  Status read = database_.for_each_row(
      "SELECT q.type, EXISTS(SELECT 1 FROM results r WHERE r.request_id = q.request_id),"
      " EXISTS(SELECT 1 FROM job_requests j WHERE j.request_id = q.request_id AND j.open = 1)"
      " FROM requests q ORDER BY q.position",
      [&](const Statement& row) -> Status {
        out.push_back({task_type_from(row.text(0)).value_or(TaskType::closed_book),
                       row.integer(1) != 0, row.integer(2) != 0});
        return ok;
      });
  if (!read) return std::move(read).error();
  return out;
}

Result<std::vector<RequestRow>> SqliteArmStore::requests_at(
    const std::vector<std::int64_t>& positions) {
  const std::lock_guard lock(database_mutex_);
  Result<Statement> select = database_.prepare(std::string("SELECT ") + request_columns +
                                               " FROM requests q WHERE q.position = ?1");
  if (!select) return std::move(select).error();
  std::vector<RequestRow> out;
  out.reserve(positions.size());
  for (const std::int64_t position : positions) {
    const Result<bool> found = select->bind(position).step();
    if (!found) return found.error();
    if (!*found) {
      return Error{Code::not_found, database_.path().string() + ": the arm has no request at " +
                                        std::to_string(position)};
    }
    out.push_back(request_from(*select, 0));
    select->reset();
  }
  return out;
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

Result<std::vector<RequestRow>> SqliteArmStore::job_requests(const std::string& job_id) {
  const std::lock_guard lock(database_mutex_);
  std::vector<RequestRow> out;
  Status read = database_.for_each_row(
      std::string("SELECT ") + request_columns +
          " FROM job_requests j JOIN requests q ON q.request_id = j.request_id"
          " WHERE j.job_id = ?1 ORDER BY j.line",
      [&](const Statement& row) -> Status {
        out.push_back(request_from(row, 0));
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
    const RequestIndex::State known = accepted_.state(row.request_id);
    if (known == RequestIndex::State::unknown) {
      return Error{Code::data, database_.path().string() + ": a result for the unknown request " +
                                   row.request_id};
    }
    if (is_final(row.outcome)) {
      const bool again = known == RequestIndex::State::accepted;
      if (!again) accepted_.set(row.request_id, true);
      result.disposition = again ? Disposition::duplicate : Disposition::accepted;
    }
  }
  const bool first = result.disposition == Disposition::accepted;
  Status put = group_commit_.put(std::move(result));
  if (!put && first) {
    const std::lock_guard lock(index_mutex_);
    accepted_.set(row.request_id, false);
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

Status SqliteArmStore::read_page(std::int64_t first, std::int64_t count,
                                 std::vector<StoredRequest>& out) {
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  if (!select_page_) {
    Result<Statement> prepared =
        database_.prepare(std::string("SELECT ") + accepted_columns + of_requests +
                          " WHERE q.position >= ?1 ORDER BY q.position LIMIT ?2");
    if (!prepared) return std::move(prepared).error();
    select_page_ = std::move(prepared).value();
  }
  select_page_->bind(first, count);
  Status read = ok;
  while (read) {
    const Result<bool> row = select_page_->step();
    if (!row) read = row.error();
    if (!row || !*row) break;
    StoredRequest& stored = out.emplace_back();
    stored.request = request_from(*select_page_, 0);
    if (!has_result(*select_page_, 0)) continue;
    AcceptedResult accepted;
    read = read_row(*select_page_, 0, accepted);
    stored.accepted = std::move(accepted);
  }
  select_page_->reset();  // ends its read transaction
  return read;
}

Status SqliteArmStore::for_each_accepted(
    const std::function<Status(const AcceptedResult&)>& visit) {
  if (Status flushed = flush(); !flushed) return flushed;
  const std::string select = std::string("SELECT q.position, ") + accepted_columns + of_results +
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
    Result<Statement> prepared = database_.prepare(std::string("SELECT ") + accepted_columns +
                                                   of_results + " WHERE q.request_id = ?1");
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

Status SqliteArmStore::score_all(
    const std::string& input_hash,
    const std::function<Result<std::optional<Score>>(const AcceptedResult&)>& score_of) {
  if (Status writable = check_writable(); !writable) return writable;
  if (Status flushed = flush(); !flushed) return flushed;
  const std::lock_guard lock(database_mutex_);
  const std::string select =
      std::string("SELECT ") + accepted_columns + of_requests + " ORDER BY q.position";
  return database_.transaction([&]() -> Status {
    if (Status cleared = database_.execute("DELETE FROM scores"); !cleared) return cleared;
    if (Status set = set_meta("scores_input_hash", input_hash); !set) return set;
    Result<Statement> insert =
        database_.prepare("INSERT INTO scores VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    if (!insert) return std::move(insert).error();
    return database_.for_each_row(select, [&](const Statement& row) -> Status {
      if (!has_result(row, 0)) return ok;
      AcceptedResult accepted;
      if (Status read = read_row(row, 0, accepted); !read) return read;
      const Result<std::optional<Score>> score = score_of(accepted);
      if (!score) return score.error();
      if (!*score) return ok;
      const Score& s = **score;
      return insert
          ->bind(accepted.request.request_id, s.em, s.f1, s.abstained, s.false_answer,
                 s.unsupported)
          .run();
    });
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

Status ArmStore::initialise(const ArmSpec& arm, const std::vector<RequestRow>& rows) {
  return initialise(arm, [&](const TakeRequest& take) -> Status {
    for (const RequestRow& row : rows) {
      if (Status taken = take(row); !taken) return taken;
    }
    return ok;
  });
}

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
