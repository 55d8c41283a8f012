// SPDX-License-Identifier: Apache-2.0
// What today's plan means for a run that exists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/plan.h"
#include "store/run_store.h"

namespace promptsweep {

struct TrialState {
  std::string slug;
  // new: not in the run yet; done; partly done; waiting: planned, nothing answered; superseded: an
  // edit made another trial of these settings; kept: the run has it, today's plan does not ask.
  std::string state;
  std::int64_t expected = 0, accepted = 0;  // requests of its arms that the run has
};

// A trial that has the settings of an earlier one and another slug replaces it: something that
// changes answers was edited.
bool replaces_trials(const RunPlan& before, const RunPlan& now);
// The run holds every trial and arm of `now`, none of them superseded.
bool covers(const RunPlan& recorded, const RunPlan& now);

// Today's trials in their order, then the recorded rest. `run` may be open for reading only.
Result<std::vector<TrialState>> trial_states(RunStore& run, const RunPlan& now);

}  // namespace promptsweep
