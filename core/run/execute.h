// SPDX-License-Identifier: Apache-2.0
// The loop: pending requests to backends to stores, engine by engine, until every arm is complete,
// the retry budget is spent, or somebody wants to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "records/item.h"
#include "records/plan.h"
#include "run/observer.h"
#include "run/stop.h"
#include "store/run_store.h"

namespace promptsweep {

// How far an invocation goes. An engine whose jobs do not outlive this process (local, or remote
// without attaching) knows no submit_only: it goes all the way.
enum class Reach {
  submit_only,  // leave once every pending request is in a job that its backend has accepted
  poll_only,    // no new job; what earlier processes left open is fetched until it ends
  all,
};

struct ExecuteOptions {
  Reach reach = Reach::all;
  // With poll_only: the jobs that earlier processes left open are cancelled instead of waited for;
  // what they had finished is kept.
  bool cancel_remote = false;
  int max_concurrent_jobs = 4;
  std::optional<int> lines_per_part;  // requests per job at most
  // Further offers of a request whose result was transient, within this invocation.
  int retries = 2;
  // How long cancelled jobs may take to end after a stop.
  std::int64_t stop_grace_us = 5'000'000;
  std::function<Result<std::unique_ptr<Backend>>(const EngineSpec&, BackendServices)> open;
  // What an engine's jobs ran with that may change answers through rounding; recorded per job.
  std::function<std::string(const EngineSpec&)> numerics;
};

struct EngineSummary {
  std::string engine_id;
  std::string model;
  std::int64_t accepted_now = 0;
  double seconds = 0;  // from ready to finished
};

struct ExecuteSummary {
  bool complete = false;  // every request of every arm has a final result
  bool stopped = false;
  std::int64_t gave_up = 0;            // requests whose retry budget is spent
  std::vector<std::string> problems;   // one sentence each: why something is incomplete
  std::vector<EngineSummary> engines;  // those that were opened
};

// Writes every arm's expected requests into its store (once; a store that has them is checked).
Status build_arms(RunStore& run, const RunPlan& plan, const std::vector<Item>& items);

// REQUIRES: build_arms succeeded. An engine that cannot be opened or that refuses a job is a
// problem of the summary; the other engines still run.
Result<ExecuteSummary> execute(RunStore& run, const RunPlan& plan, const std::vector<Item>& items,
                               const ExecuteOptions& options, Observer& observer,
                               const StopFlag& stop);

}  // namespace promptsweep
