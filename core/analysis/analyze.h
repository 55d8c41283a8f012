// SPDX-License-Identifier: Apache-2.0
// Stored scores to findings. Pure: the same data and options give the same findings, and a trial's
// findings do not depend on which other trials the run holds (until correct_over_sweep).
#pragma once

#include <vector>

#include "analysis/findings.h"
#include "analysis/options.h"
#include "analysis/trial_data.h"

namespace promptsweep {

// Every temperature, task type and data set of one trial. q-values are absent.
//
// Items are paired by key; an item without a scored answer in either arm is left out and counted
// in the attrition. With K > 1 samples an item, the per-item mean over its scored samples is what
// is paired: the paired table binarises it at 0.5, and the p-value is Wilcoxon's on the means.
TrialFindings analyze_trial(const TrialData& data, const AnalysisOptions& options);

// Fills q-values and verdicts in: Benjamini-Hochberg and Holm over the family of the primary
// p-values of all trials that are not superseded. Also moves superseded trials apart.
RunFindings correct_over_sweep(std::vector<TrialFindings> trials, const AnalysisOptions& options);

// Adds money: to the run once an arm, to each trial its own figure and its share.
void attach_costs(RunFindings& run, RunCost cost);

}  // namespace promptsweep
