// SPDX-License-Identifier: Apache-2.0
// The ledger of jobs of an arm's store.
#include <utility>

#include "store/arm_rows.h"
#include "store/sqlite_arm_store.h"

namespace promptsweep {

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
}  // namespace promptsweep
