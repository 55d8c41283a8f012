// SPDX-License-Identifier: Apache-2.0
// A plan for people and for scripts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/sweep_setup.h"
#include "cli/trial_states.h"

namespace promptsweep {

// `states`: of the run that was named, when it exists.
using KnownStates = std::optional<std::vector<TrialState>>;
std::string plan_text(const SweepSetup& setup, const KnownStates& states = {});
// {"run_id", "trials": [...], "arms": [...], "states": [...], "requests", ...}: docs/running.md.
std::string plan_json(const SweepSetup& setup, const KnownStates& states = {});
// Prints the plan, with the states of the run `run_id` where one is named. Writes nothing. Returns
// the exit code.
int show_plan(const SweepSetup& setup, const std::string& run_id, bool as_json);

}  // namespace promptsweep
