// SPDX-License-Identifier: Apache-2.0
// The one ArmStore there is. Its members are in arm_store.cc (the arm and its requests),
// arm_store_jobs.cc and arm_store_results.cc. Used by these three alone.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/arm_store.h"
#include "store/database.h"
#include "store/group_commit.h"
#include "store/request_index.h"

namespace promptsweep {

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

}  // namespace promptsweep
