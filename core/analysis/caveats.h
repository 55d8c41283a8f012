// SPDX-License-Identifier: Apache-2.0
// What a reader must know before believing a trial's numbers.
#pragma once

#include <vector>

#include "analysis/findings.h"

namespace promptsweep {

// In the order in which a report states them. Codes: dry_run, incomplete, one_condition,
// low_pairing, unequal_attrition, behaviour_outcomes, engine_differs, several_samples,
// seed_not_honoured, em_credits_abstention, unsupported_is_conditional, few_pairs.
std::vector<Caveat> caveats_of(const TrialFindings& trial);

}  // namespace promptsweep
