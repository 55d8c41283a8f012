// SPDX-License-Identifier: Apache-2.0
// What a run's record becomes when a new plan is written over it. No I/O.
#pragma once

#include "base/result.h"
#include "records/plan.h"

namespace promptsweep {

// Code::state with a sentence where the plan cannot be stored: see RunStore::write_plan.
Status check_plan(const RunPlan& plan);

// One trial but for prompts, items and temperatures: an edit of those makes the other from the one.
bool same_settings(const TrialSpec& a, const TrialSpec& b);
// Whether `fresh`, which edits `recorded` and lacks the trial `old` of it, has another in its place
// (or other items, and so one of every trial).
bool is_replaced(const TrialSpec& old, const RunPlan& recorded, const RunPlan& fresh);

// The latest plan's arms and trials in its order, then the recorded rest. REQUIRES: check_plan
// accepts `fresh`; `recorded` is a merged plan or empty.
Result<RunPlan> merge_plan(const RunPlan& recorded, const RunPlan& fresh, bool supersede);

}  // namespace promptsweep
