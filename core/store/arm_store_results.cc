// SPDX-License-Identifier: Apache-2.0
// Results and scores of an arm's store.
#include <utility>

#include "store/arm_rows.h"
#include "store/sqlite_arm_store.h"

namespace promptsweep {
namespace {

// Rows of for_each_accepted that are read under the lock at a time.
constexpr std::int64_t page_rows = 256;

}  // namespace

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
  if (found && *found) {
    AcceptedResult row;
    read = read_row(*select_accepted_, 0, row);
    out = std::move(row);
  }
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
}  // namespace promptsweep
