// SPDX-License-Identifier: Apache-2.0
// All arms of one engine, from pending to complete. Used by execute.cc alone, on one thread.
//
// The loop has two steps: start as many jobs as the backend and the options allow; take what is
// finished (engine_jobs.cc). What goes wrong around it is in engine_recovery.cc: jobs of an earlier
// process, a process of the backend that dies, memory that is short, a stop.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "run/arm_run.h"
#include "run/execute.h"
#include "run/job_queue.h"

namespace promptsweep {

// Shared by the engines of one invocation.
struct RetryBudget {
  std::atomic<std::int64_t> left;
  // False: nothing is left.
  bool take() { return left.fetch_sub(1, std::memory_order_relaxed) > 0; }
};

// A working directory that is gone must not end the program: then the path stays as it is.
inline std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::path out = std::filesystem::absolute(path, failed);
  return failed ? path : out;
}

class EngineRun {
 public:
  EngineRun(RunStore& run, const RunPlan& plan, const EngineSpec& engine, const ItemSource& items,
            const ExecuteOptions& options, RetryBudget& retries, Observer& observer,
            const StopFlag& stop);

  // False: there is nothing to do, the engine need not be opened. Counts, and reads no request.
  Result<bool> load();
  // What it would take from the machine; nullopt: unknown.
  std::optional<EngineNeed> need() const;
  // Hears what the loaded engine really took, on the thread of execute().
  void on_loaded(std::function<void(std::uint64_t ram_bytes)> hear) { loaded_ = std::move(hear); }
  // Opens the engine and runs until done, stopped or out of budget. An error speaks of the engine
  // as a whole; what was answered before it is stored. Once only.
  Status execute();

  const EngineSpec& engine() const { return engine_; }
  bool complete() const;
  std::int64_t gave_up() const { return gave_up_; }
  // What the engine said of the latest request that it did not answer; empty: nothing.
  const std::string& last_failure() const { return last_failure_; }
  std::int64_t left_running() const { return left_running_; }
  std::int64_t reused() const { return reused_; }
  const EngineProgress& progress() const { return progress_; }

 private:
  struct ActiveJob {
    std::string job_id;
    ArmRun* arm = nullptr;
    std::vector<RequestRow> rows;
    std::unordered_map<std::string, std::size_t> unanswered;  // id -> index; no record yet
    std::vector<std::size_t> transient;                       // a record, but not a final one
    std::filesystem::path requests_path;
    std::int64_t next_poll_us = 0;
    JobRequest request;        // as it was sent last
    bool looking_up = false;   // attach_only, and no sign of it yet
    bool may_be_made = false;  // when the look-up finds nothing
    int look_ups = 0;          // after the provider's answer to a creation was lost
    bool cancelled = false;
    bool alone = false;  // a suspect
  };

  bool makes_jobs() const {
    return options_.reach == Reach::all || options_.reach == Reach::submit_only;
  }

  // engine_run.cc
  Status open_engine();
  BackendServices services();
  Status take_identity();
  Status check_engine_of_arms();
  Status start_again(ArmRun& arm);
  Status start_arms_of_other_trials_again();
  Status run_jobs();
  bool all_known_at_provider() const;
  void report(bool force);

  // engine_jobs.cc
  Status plan_remaining();
  std::uint64_t line_bytes(const ArmSpec& arm, ArmStore& store, std::int64_t position);
  // From activate() to retire() a job is in the table and may tell checkpoints into `store`.
  ActiveJob& activate(ActiveJob job, ArmStore* store);
  void close_ledger(const std::string& job_id);  // no more checkpoints
  void retire(const std::string& job_id);
  std::map<std::string, ActiveJob> retire_all();
  Status start_jobs();
  Status start_job(const PlannedJob& planned, bool alone);
  Result<JobRequest> write_job(ActiveJob& job, ArmStore& store);
  bool may_start() const;
  Status take_results();
  Status take(ActiveJob& job);
  Status accept(ActiveJob& job, ResultRow row);
  Status finish_job(ActiveJob& job, std::string_view how);
  // Whether the provider may have the job though its creation failed: the answer was lost.
  bool creation_is_unclear(const ActiveJob& job, const JobStatus& status) const;
  bool may_still_run(const ActiveJob& job, const JobStatus& status) const;
  Status look_up_again(ActiveJob& job);
  Status close_arm_if_done(ArmRun& arm, const std::string& ended_job);
  bool arm_has_jobs(const ArmRun& arm, const std::string& except) const;
  // False: the request's budget or the run's is spent.
  bool may_offer_again(ArmRun& arm, std::int64_t position);
  void offer_again(ActiveJob& job, const std::vector<std::size_t>& indices);

  // engine_cache.cc
  void open_cache();
  Status take_from_cache();
  void keep_in_cache(ArmRun& arm);
  Status conclude_arms();
  void go_on_without_cache(const Error& error);

  // engine_recovery.cc
  Status settle_left_open_jobs();
  Status settle(ArmRun& arm, const JobRow& row);
  Status attach(ArmRun& arm, const JobRow& row);
  Result<ActiveJob> left_job(ArmRun& arm, const JobRow& row);
  // The look-up of a left job found nothing.
  Status not_at_provider(ActiveJob& job);
  Status recover_from_loss();
  Status requeue_lost(const ActiveJob& job, const std::vector<bool>& begun);
  Result<bool> lower_memory(const Error& shortage);
  Status reopen_with_less_memory(const Error& shortage);
  void cancel_jobs();
  Status wind_down();
  void leave_remote_jobs();

  RunStore& run_;
  const RunPlan& plan_;
  EngineSpec engine_;  // the plan's, with options that need less memory after a shortage
  const ItemSource& items_;
  const ExecuteOptions& options_;
  RetryBudget& retries_;
  Observer& observer_;
  const StopFlag& stop_;
  std::function<void(std::uint64_t)> loaded_;

  std::map<std::string, std::unique_ptr<ArmRun>> arms_;
  std::unique_ptr<Backend> backend_;
  std::string identity_;
  std::deque<PlannedJob> queue_;
  std::deque<PlannedJob> suspects_;  // one request each
  std::deque<PlannedJob> late_;      // of jobs that were looked up in vain
  std::map<std::string, ActiveJob> active_;
  // Checkpoints come on a thread of the backend's. A store is taken out before it is closed.
  mutable std::mutex ledgers_mutex_;
  std::map<std::string, ArmStore*> ledgers_;  // by job id
  std::optional<Error> shortage_;             // a job that failed for want of memory
  std::set<std::string> known_at_provider_;   // jobs with a checkpoint; guarded by ledgers_mutex_
  std::vector<ArmRun*> done_arms_;            // complete and still open
  std::int64_t gave_up_ = 0;
  std::string last_failure_;
  std::int64_t left_running_ = 0;
  std::int64_t reused_ = 0;
  std::unique_ptr<ResponseCache> cache_;  // null: not used, or it failed
  bool warned_of_cache_ = false;
  EngineProgress progress_;
  std::int64_t ready_us_ = 0;
  std::int64_t last_report_us_ = 0;
  int empty_streak_ = 0;
  bool warned_of_empty_ = false;
};

}  // namespace promptsweep
