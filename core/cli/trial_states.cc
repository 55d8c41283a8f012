// SPDX-License-Identifier: Apache-2.0
#include "cli/trial_states.h"

#include <algorithm>

#include "run/manifest.h"
#include "store/plan_merge.h"

namespace promptsweep {
namespace {

const TrialSpec* find_trial(const RunPlan& plan, const std::string& slug) {
  for (const TrialSpec& trial : plan.trials) {
    if (trial.slug == slug) return &trial;
  }
  return nullptr;
}

TrialState state_of(const TrialSpec& trial, const std::vector<ArmState>& arms) {
  TrialState out{trial.slug, "", 0, 0};
  bool all_known = true;
  for (const ArmPair& pair : trial.pairs) {
    for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
      if (id.empty()) continue;
      const ArmState* arm = find_arm_state(arms, id);
      all_known = all_known && arm != nullptr && arm->expected > 0;
      if (arm == nullptr) continue;
      out.expected += arm->expected;
      out.accepted += arm->accepted;
    }
  }
  out.state = all_known && out.accepted == out.expected ? "done"
              : out.accepted > 0                        ? "partly done"
                                                        : "waiting";
  return out;
}

}  // namespace

bool replaces_trials(const RunPlan& before, const RunPlan& now) {
  for (const TrialSpec& old : before.trials) {
    if (old.superseded || find_trial(now, old.slug) != nullptr) continue;
    for (const TrialSpec& trial : now.trials) {
      if (same_settings(trial, old)) return true;
    }
  }
  return false;
}

bool covers(const RunPlan& recorded, const RunPlan& now) {
  const bool trials = std::all_of(now.trials.begin(), now.trials.end(), [&](const TrialSpec& t) {
    const TrialSpec* known = find_trial(recorded, t.slug);
    return known != nullptr && !known->superseded;
  });
  return trials && std::all_of(now.arms.begin(), now.arms.end(), [&](const ArmSpec& arm) {
           return find_arm(recorded, arm.arm_id) != nullptr;
         });
}

Result<std::vector<TrialState>> trial_states(RunStore& run, const RunPlan& now) {
  Result<RunPlan> recorded = run.plan();
  if (!recorded) {
    if (recorded.error().code != Code::state) return std::move(recorded).error();
    recorded = RunPlan();  // killed before its first plan
  }
  Result<std::vector<ArmState>> arms = arm_states(run, *recorded);
  if (!arms) return std::move(arms).error();
  std::vector<TrialState> out;
  for (const TrialSpec& trial : now.trials) {
    out.push_back(state_of(trial, *arms));
    if (find_trial(*recorded, trial.slug) == nullptr) out.back().state = "new";
  }
  const bool supersedes = replaces_trials(*recorded, now);
  for (const TrialSpec& trial : recorded->trials) {
    if (find_trial(now, trial.slug) != nullptr) continue;
    out.push_back(state_of(trial, *arms));
    const bool replaced = supersedes && is_replaced(trial, *recorded, now);
    out.back().state = trial.superseded || replaced ? "superseded" : "kept";
  }
  return out;
}

}  // namespace promptsweep
