// SPDX-License-Identifier: Apache-2.0
// The loop: pending requests to backends to stores, engine by engine, until every arm is complete,
// the retry budget is spent, or somebody wants to stop. Engines whose memory fits run at the same
// time, each on a thread of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "records/item_source.h"
#include "records/plan.h"
#include "run/observer.h"
#include "run/reuse.h"
#include "run/schedule.h"
#include "run/stop.h"
#include "store/run_store.h"

namespace promptsweep {

// How far jobs are taken in this invocation.
enum class Reach {
  all,
  submit_only,  // remote jobs are created and left running; local ones run to their end
  poll_only,    // jobs that exist are fetched to their end; no new one is made
  cancel_only,  // jobs that exist are cancelled, what they had finished is kept
};

struct ExecuteOptions {
  int max_concurrent_jobs = 4;
  std::optional<int> lines_per_part;     // requests per job at most
  std::optional<int> parts_per_dataset;  // of a backend that takes whole arms: jobs a task type
  // Further offers of a request whose result was transient, within this invocation.
  int retries = 2;
  // Further offers of all requests together, within this invocation; absent: no bound.
  std::optional<std::int64_t> retry_budget;
  // How long cancelled jobs may take to end after a stop; the process of a backend that does not
  // let go is ended then, all within five seconds.
  std::int64_t stop_grace_us = 3'000'000;
  Reach reach = Reach::all;
  bool accept_engine_change = false;  // arms of another engine start again
  bool cancel_remote = false;         // a stop cancels remote jobs instead of leaving them

  EngineBudget budget;

  // Answers of earlier runs: where they are kept, and which arms may take them.
  std::filesystem::path cache_path;  // empty: neither kept nor taken
  Reuse reuse = Reuse::none;

  // The spec may carry other options than the plan's: see lower_memory.
  std::function<Result<std::unique_ptr<Backend>>(const EngineSpec&, BackendServices)> open;
  // What an engine's jobs ran with that may change answers through rounding; recorded per job.
  std::function<std::string(const EngineSpec&)> numerics;
  // nullopt: nobody can tell; such an engine is loaded alone. Empty: engines need nothing.
  std::function<std::optional<EngineNeed>(const EngineSpec&)> need;
  // The options with which an engine that ran out of memory may be tried next, nothing in them
  // changed that belongs to the experiment; nullopt: there is nothing left to give up.
  std::function<std::optional<std::string>(const EngineSpec&)> lower_memory;
};

struct EngineSummary {
  std::string engine_id;
  std::string model;
  std::int64_t accepted_now = 0;
  double seconds = 0;  // from ready to finished
  std::int64_t retried_now = 0;
};

struct ExecuteSummary {
  bool complete = false;  // every request of every arm has a final result
  bool stopped = false;
  std::int64_t gave_up = 0;            // requests whose retry budget is spent
  std::int64_t retried = 0;            // transient results that were offered again
  std::int64_t reused = 0;             // answers taken from earlier runs
  std::int64_t left_running = 0;       // requests of remote jobs that go on without this process
  std::vector<std::string> problems;   // one sentence each: why something is incomplete
  std::vector<EngineSummary> engines;  // those that were opened
};

// Writes every arm's expected requests into its store (once; a store that has them is checked).
Status build_arms(RunStore& run, const RunPlan& plan, const ItemSource& items);
Status build_arm(RunStore& run, const ArmSpec& arm, const EngineSpec& engine,
                 const ItemSource& items);

// REQUIRES: build_arms succeeded. An engine that cannot be opened or that refuses a job is a
// problem of the summary; the other engines still run. `observer` is called from one thread at a
// time, though not always the same.
Result<ExecuteSummary> execute(RunStore& run, const RunPlan& plan, const ItemSource& items,
                               const ExecuteOptions& options, Observer& observer,
                               const StopFlag& stop);

}  // namespace promptsweep
