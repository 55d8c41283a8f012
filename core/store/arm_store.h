// SPDX-License-Identifier: Apache-2.0
// The store of one arm: an SQLite file that holds its requests, results, attempts, jobs and scores.
// The only place where "done" is decided: the set of expected request ids against the set of ids
// with an accepted result. Stored bytes: core/store/FORMAT.md.
//
// Thread safety: one ArmStore may be used from several threads (it serialises). One ArmStore writes
// a file at a time (the run's writer lock sees to it); any number may read it meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "records/difference.h"
#include "records/plan.h"
#include "records/request.h"
#include "records/score.h"

namespace promptsweep {

struct ArmProgress {
  std::string store_id;       // see ArmStore::store_id
  std::int64_t expected = 0;  // requests of the arm
  std::int64_t accepted = 0;  // with an accepted (final) result
  std::int64_t ok = 0;
  std::int64_t in_jobs = 0;  // not accepted and in a job that is not terminal
  std::vector<std::pair<Outcome, std::int64_t>> outcomes;  // of accepted results, non-zero only
  bool complete() const { return accepted == expected; }
};

// The core's record of a job: written before anything is sent.
struct JobRow {
  std::string job_id;  // content_id of store, arm, task type, request ids, round
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
  // Opens or creates `path`. A store made by a newer format is refused with a sentence, and so is
  // a file that is no store or is damaged (Code::data); it is left as it is.
  static Result<std::unique_ptr<ArmStore>> open(const std::filesystem::path& path);
  // For readers (report, dashboards) while another process may write. Every write is Code::state.
  static Result<std::unique_ptr<ArmStore>> open_read_only(const std::filesystem::path& path);
  // For a file that nobody writes any more (a sealed run): leaves nothing beside it.
  static Result<std::unique_ptr<ArmStore>> open_immutable(const std::filesystem::path& path);
  // Flushes; call flush() before, since a destructor cannot say that it failed. Afterwards the
  // store is one file.
  virtual ~ArmStore() = default;

  // Writes the arm's spec and expected requests in one transaction; a store that already has them
  // must hold the same arm_id and the same request ids (else Code::state).
  // `produce` gives the rows in item order, the same ones whenever it is called (at most twice); it
  // ends at the first error of what it is given.
  using TakeRequest = std::function<Status(const RequestRow&)>;
  using ProduceRequests = std::function<Status(const TakeRequest&)>;
  virtual Status initialise(const ArmSpec& arm, const ProduceRequests& produce) = 0;
  Status initialise(const ArmSpec& arm, const std::vector<RequestRow>& rows);  // few rows
  virtual Result<ArmSpec> arm() = 0;
  // Tells this store from any other, one of the same arm included: that of another run, or one that
  // was put aside. Random, made by initialise().
  virtual Result<std::string> store_id() = 0;

  // The engine identity recorded with the first result; empty before. A second, different identity
  // is Code::state with both in the text.
  virtual Result<std::string> engine_identity() = 0;
  virtual Status record_engine_identity(const std::string& identity_json) = 0;

  // Counts durable rows only; results still in the buffer are not there yet.
  virtual Result<ArmProgress> progress() = 0;
  // In item order; position from 0, without gaps.
  virtual Status for_each_request(
      const std::function<Status(std::int64_t position, const RequestRow&)>& visit) = 0;
  virtual Result<std::vector<RequestRow>> requests() = 0;  // all, in item order
  // Requests without an accepted result that are in no job that is not terminal, in item order.
  // Flushes first.
  virtual Result<std::vector<RequestRow>> pending() = 0;

  // What a scheduler needs of each request, in item order. Flushes first.
  struct RequestState {
    TaskType type = TaskType::closed_book;
    bool accepted = false;
    bool in_job = false;  // one that is not terminal
  };
  virtual Result<std::vector<RequestState>> request_states() = 0;
  // The requests at these positions, in that order; Code::not_found for one that does not exist.
  virtual Result<std::vector<RequestRow>> requests_at(
      const std::vector<std::int64_t>& positions) = 0;

  // --- jobs. A request belongs to at most one job that is not terminal (unique index), and one
  // with an accepted result to no new job (both Code::state). Each call is durable when it returns
  // and flushes first, so that a token never runs ahead of the results it stands for. An unknown
  // job is Code::not_found.
  virtual Status record_job_intent(const JobRow& job,
                                   const std::vector<std::string>& request_ids) = 0;
  virtual Status record_job_submitted(const std::string& job_id) = 0;
  virtual Status record_checkpoint(const std::string& job_id, std::string_view token) = 0;
  // Its requests without an accepted result become pending again. `how` it ended is kept.
  virtual Status record_job_terminal(const std::string& job_id, std::string_view how) = 0;
  virtual Result<std::vector<JobRow>> open_jobs() = 0;  // intended or submitted
  // The lines of its request file, in order.
  virtual Result<std::vector<RequestRow>> job_requests(const std::string& job_id) = 0;
  virtual Result<std::int64_t> job_rounds(TaskType type) = 0;  // jobs ever made of this type

  // --- results. Buffered; durable at the latest 100 ms later or at flush(). A final outcome is
  // accepted unless the id has an accepted result already (then it is counted as a duplicate and
  // dropped); a transient outcome is kept as an attempt only. An unknown id is Code::data. When
  // the disk refuses a commit, its rows are kept and tried again, and put_result returns that
  // error (and does not take the row) until a commit succeeds.
  virtual Status put_result(const ResultRow& row) = 0;
  virtual Status flush() = 0;
  // The next three flush first.
  virtual Result<std::int64_t> duplicates_dropped() = 0;  // ever, over all processes
  virtual Result<int> attempts_of(
      const std::string& request_id) = 0;  // results seen, accepted or not
  // Failed attempts of the current process run are counted by the runner; these are all ever.

  struct AcceptedResult {
    RequestRow request;
    ResultRow result;
    int attempt = 0;  // which of the request's results this was, from 1
    std::optional<Score> score;
  };
  struct StoredRequest {
    RequestRow request;
    std::optional<AcceptedResult> accepted;
  };
  // The requests at `first`, `first` + 1, ... up to `count` of them, appended to `out`.
  virtual Status read_page(std::int64_t first, std::int64_t count,
                           std::vector<StoredRequest>& out) = 0;
  // In item order. `visit` may call the store; what is accepted meanwhile may be seen or not.
  virtual Status for_each_accepted(const std::function<Status(const AcceptedResult&)>& visit) = 0;
  virtual Result<std::optional<AcceptedResult>> accepted(const std::string& request_id) = 0;

  // --- scores, keyed by the hash of what made them (gold, rules, scoring version). Scores put
  // under the recorded hash join those that are there; another hash replaces them all. A score of
  // an id without an accepted result is Code::data.
  virtual Result<std::string> scores_input_hash() = 0;  // empty: none yet
  virtual Status put_scores(const std::string& input_hash,
                            const std::vector<std::pair<std::string, Score>>& by_request_id) = 0;

  // Replaces all scores in one transaction by what `score_of` says of each accepted result, in item
  // order (nullopt: it has none). `score_of` must not call the store.
  virtual Status score_all(
      const std::string& input_hash,
      const std::function<Result<std::optional<Score>>(const AcceptedResult&)>& score_of) = 0;

  // Reads the whole file: SQLite's integrity checks and the store's own rules, every result's
  // digest among them. Code::data names what is wrong.
  virtual Status verify() = 0;
  // The same, and tells of every result that is not what was written instead of the first.
  virtual Status verify(const DifferenceSink& damaged) = 0;
};

}  // namespace promptsweep
