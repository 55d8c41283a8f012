// SPDX-License-Identifier: Apache-2.0
// Stored answers -> stored scores. Never calls a model.
#pragma once

#include <string>

#include "base/result.h"
#include "records/plan.h"
#include "run/observer.h"
#include "score/score.h"
#include "store/arm_store.h"
#include "store/run_store.h"

namespace promptsweep {

// What an arm's scores are made from: the value of ArmStore::scores_input_hash.
std::string scores_hash(const ArmSpec& arm, const ArmProgress& progress, const ScoringRules& rules);

// Scores every `ok` result of every arm in the plan. An arm whose scores were made from the same
// answers, items and rules is left alone.
// `again`: it is scored all the same.
Status score_arms(RunStore& run, const RunPlan& plan, const ScoringRules& rules, Observer& observer,
                  bool again = false);

// Has every arm the scores that score_arms would make?
Result<bool> arms_are_scored(RunStore& run, const RunPlan& plan, const ScoringRules& rules);

}  // namespace promptsweep
