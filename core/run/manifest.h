// SPDX-License-Identifier: Apache-2.0
// trial_manifest.json and multi_trial_manifest.json: what a folder holds, for people and scripts.
// Fields: docs/artifacts.md.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "records/plan.h"
#include "store/run_store.h"

namespace promptsweep {

struct ArmState {
  std::string arm_id;
  std::int64_t expected = 0, accepted = 0;
  std::vector<std::pair<Outcome, std::int64_t>> outcomes;
  std::string engine_identity_json;  // empty: nothing ran yet
  bool complete() const { return expected == accepted; }
};

// An arm that is planned and not built yet has no answers.
Result<std::vector<ArmState>> arm_states(RunStore& run, const RunPlan& plan);
const ArmState* find_arm_state(const std::vector<ArmState>& states, const std::string& arm_id);
bool trial_complete(const TrialSpec& trial, const std::vector<ArmState>& states);

std::string trial_manifest_json(const RunPlan& plan, const TrialSpec& trial,
                                const std::vector<ArmState>& states);
// What the run's record says of its phases; `last_error_json` empty: nothing went wrong.
struct RunRecord {
  std::vector<PhaseRecord> phases;
  std::string last_error_json;
};
Result<RunRecord> run_record(RunStore& run);
std::string multi_trial_manifest_json(const RunPlan& plan, const std::vector<ArmState>& states,
                                      const RunRecord& record);

// Writes the manifests of every trial and of the run.
Status write_manifests(RunStore& run, const RunPlan& plan, const std::vector<ArmState>& states);

}  // namespace promptsweep
