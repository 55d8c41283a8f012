// SPDX-License-Identifier: Apache-2.0
// All arms of one engine, from pending to complete. Used by execute.cc alone.
//
// The loop has two steps: start as many jobs as the backend and the options allow; take what is
// finished. When the backend's process dies, the requests that had begun are suspects: each is
// offered again alone, so that a request that kills the engine takes no other with it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "prompt/render.h"
#include "run/arm_run.h"
#include "run/execute.h"
#include "run/job_queue.h"

namespace promptsweep {

class EngineRun {
 public:
  EngineRun(RunStore& run, const RunPlan& plan, const EngineSpec& engine, const ItemIndex& items,
            const ExecuteOptions& options, Observer& observer, const StopFlag& stop);

  // False: there is nothing to do within the reach, the engine need not be opened.
  Result<bool> load();
  // Opens the engine and runs until done, stopped or out of budget. An error speaks of the engine
  // as a whole; what was answered before it is stored.
  Status execute();

  bool complete() const;
  std::int64_t gave_up() const { return gave_up_; }
  const EngineProgress& progress() const { return progress_; }

 private:
  struct ActiveJob {
    std::string job_id;
    ArmRun* arm = nullptr;
    std::vector<RequestRow> rows;
    std::set<std::string> unanswered;    // no record yet in this job
    std::vector<std::string> transient;  // a record, but not a final one
    std::filesystem::path requests_path;
    bool cancelled = false;
    bool alone = false;  // a suspect
  };

  Status open_engine();
  Status settle_left_open_jobs();
  void plan_remaining();

  Status start_jobs();
  Status start_job(PlannedJob planned, bool alone);
  Result<JobRequest> write_job(ActiveJob& job, ArmStore& store);
  bool may_start() const;
  bool leaves_jobs_running() const;

  Status take_results();
  Status take(ActiveJob& job);
  Status accept(ActiveJob& job, ResultRow row);
  Status finish_job(ActiveJob& job, std::string_view how);
  Status close_arm_if_done(ArmRun& arm, const std::string& ended_job);
  bool arm_has_jobs(const ArmRun& arm, const std::string& except) const;
  void offer_again(ActiveJob& job, const std::vector<std::string>& ids);

  Status recover_from_loss();
  Status wind_down();
  void report(bool force);

  RunStore& run_;
  const RunPlan& plan_;
  const EngineSpec& engine_;
  const ItemIndex& items_;
  const ExecuteOptions& options_;
  Observer& observer_;
  const StopFlag& stop_;

  std::map<std::string, std::unique_ptr<ArmRun>> arms_;
  std::unique_ptr<Backend> backend_;
  std::string identity_;
  std::deque<PlannedJob> queue_;
  std::deque<PlannedJob> suspects_;  // one request each
  std::map<std::string, ActiveJob> active_;
  std::int64_t gave_up_ = 0;
  EngineProgress progress_;
  std::int64_t ready_us_ = 0;
  std::int64_t last_report_us_ = 0;
  int empty_streak_ = 0;
  bool warned_of_empty_ = false;
};

}  // namespace promptsweep
