// SPDX-License-Identifier: Apache-2.0
#include "run/execute.h"

#include <map>

#include "prompt/render.h"
#include "run/engine_run.h"
#include "store/arm_store.h"

namespace promptsweep {

Status build_arms(RunStore& run, const RunPlan& plan, const std::vector<Item>& items) {
  for (const ArmSpec& arm : plan.arms) {
    const EngineSpec* engine = find_engine(plan, arm.engine_id);
    if (engine == nullptr)
      return Error{Code::data, "arm " + arm.arm_id + " names an unknown engine"};
    Result<std::unique_ptr<ArmStore>> store = run.open_arm(arm);
    if (!store) return std::move(store).error();
    Status made = (*store)->initialise(arm, request_rows(arm, engine->model, items));
    if (!made) return std::move(made).error().in("arm " + arm.arm_id);
  }
  return ok;
}

Result<ExecuteSummary> execute(RunStore& run, const RunPlan& plan, const std::vector<Item>& items,
                               const ExecuteOptions& options, Observer& observer,
                               const StopFlag& stop) {
  const ItemIndex index(items);
  ExecuteSummary summary;
  summary.complete = true;
  for (const EngineSpec& engine : plan.engines) {
    EngineRun engine_run(run, plan, engine, index, options, observer, stop);
    Result<bool> pending = engine_run.load();
    if (!pending) return std::move(pending).error();
    if (!*pending) {
      summary.complete = summary.complete && engine_run.complete();
      continue;
    }
    if (stop.requested()) {
      summary.complete = false;
      break;
    }
    if (Status done = engine_run.execute(); !done) {
      summary.problems.push_back(engine.model + ": " + done.error().text);
    }
    summary.engines.push_back({engine.engine_id, engine.model, engine_run.progress().accepted_now,
                               engine_run.progress().seconds});
    summary.gave_up += engine_run.gave_up();
    if (engine_run.gave_up() > 0) {
      summary.problems.push_back(engine.model + ": " + std::to_string(engine_run.gave_up()) +
                                 " requests got no answer within the retry budget");
    }
    summary.complete = summary.complete && engine_run.complete();
  }
  summary.stopped = stop.requested();
  return summary;
}

}  // namespace promptsweep
