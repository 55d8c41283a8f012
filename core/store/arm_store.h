// SPDX-License-Identifier: Apache-2.0
// The store of one arm: an SQLite file that holds its requests, results, attempts, jobs and scores.
// The only place where "done" is decided: the set of expected request ids against the set of ids
// with an accepted result. Stored bytes: core/store/FORMAT.md.
//
// Thread safety: one ArmStore may be used from several threads (it serialises).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/plan.h"
#include "records/request.h"
#include "records/score.h"

namespace promptsweep {

struct ArmProgress {
  std::int64_t expected = 0;  // requests of the arm
  std::int64_t accepted = 0;  // with an accepted (final) result
  std::int64_t ok = 0;
  std::int64_t in_jobs = 0;  // not accepted and in a job that is not terminal
  std::vector<std::pair<Outcome, std::int64_t>> outcomes;  // of accepted results, non-zero only
  bool complete() const { return accepted == expected; }
};

// The core's record of a job: written before anything is sent.
struct JobRow {
  std::string job_id;  // deterministic: content_id of arm, task type, request ids, round
  TaskType type = TaskType::closed_book;
  std::string state;          // intended, submitted, terminal
  std::string requests_file;  // relative to the store's folder
  std::string requests_sha256;
  std::string resume_token;
  std::string numerics_json;  // x-changes-numerics options it ran with
  std::int64_t request_count = 0;
  std::int64_t created_unix_us = 0;
};

class ArmStore {
 public:
  // Opens or creates `path`. A store made by a newer format is refused with a sentence.
  static Result<std::unique_ptr<ArmStore>> open(const std::filesystem::path& path);
  // For readers (report, scores, dashboards) while another process may write.
  static Result<std::unique_ptr<ArmStore>> open_read_only(const std::filesystem::path& path);
  virtual ~ArmStore() = default;

  // Writes the arm's spec and expected requests in one transaction; a store that already has them
  // must hold the same arm_id and the same request ids (else Code::state).
  virtual Status initialise(const ArmSpec& arm, const std::vector<RequestRow>& rows) = 0;
  virtual Result<ArmSpec> arm() = 0;

  // The engine identity recorded with the first result; empty before. A second, different identity
  // is Code::state with both in the text.
  virtual Result<std::string> engine_identity() = 0;
  virtual Status record_engine_identity(const std::string& identity_json) = 0;

  virtual Result<ArmProgress> progress() = 0;
  virtual Result<std::vector<RequestRow>> requests() = 0;  // all, in item order
  // Requests without an accepted result that are in no job that is not terminal, in item order.
  virtual Result<std::vector<RequestRow>> pending() = 0;

  // --- jobs. A request belongs to at most one job that is not terminal (unique index).
  virtual Status record_job_intent(const JobRow& job,
                                   const std::vector<std::string>& request_ids) = 0;
  virtual Status record_job_submitted(const std::string& job_id) = 0;
  virtual Status record_checkpoint(const std::string& job_id, std::string_view token) = 0;
  // Its requests without an accepted result become pending again.
  virtual Status record_job_terminal(const std::string& job_id, std::string_view how) = 0;
  virtual Result<std::vector<JobRow>> open_jobs() = 0;  // intended or submitted
  virtual Result<std::vector<std::string>> job_requests(const std::string& job_id) = 0;
  virtual Result<std::int64_t> job_rounds(TaskType type) = 0;  // jobs ever made of this type

  // --- results. Buffered; durable at the latest 100 ms later or at flush(). A final outcome is
  // accepted unless the id has an accepted result already (then it is counted as a duplicate and
  // dropped); a transient outcome is kept as an attempt only. An unknown id is Code::data.
  virtual Status put_result(const ResultRow& row) = 0;
  virtual Status flush() = 0;
  virtual Result<std::int64_t> duplicates_dropped() = 0;
  virtual Result<int> attempts_of(
      const std::string& request_id) = 0;  // results seen, accepted or not
  // Failed attempts of the current process run are counted by the runner; these are all ever.

  struct AcceptedResult {
    RequestRow request;
    ResultRow result;
    std::optional<Score> score;
  };
  // In item order.
  virtual Status for_each_accepted(const std::function<Status(const AcceptedResult&)>& visit) = 0;

  // --- scores, keyed by the hash of what made them (gold, rules, scoring version).
  virtual Result<std::string> scores_input_hash() = 0;  // empty: none yet
  virtual Status put_scores(const std::string& input_hash,
                            const std::vector<std::pair<std::string, Score>>& by_request_id) = 0;
};

}  // namespace promptsweep
