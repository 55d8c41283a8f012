// SPDX-License-Identifier: Apache-2.0
// Findings as JSON files; fields in docs/artifacts.md. Keys are sorted, two spaces of indent, a
// newline at the end; no NaN or Infinity.
#pragma once

#include <string>

#include "analysis/findings.h"

namespace promptsweep {

// results/significance.json of a trial. `with_q` false leaves out what depends on the other
// trials of the run: q-values, verdicts and the family.
std::string trial_significance_json(const TrialFindings& trial, bool with_q = true);
// significance.json of a run: the family with its q-values.
std::string run_significance_json(const RunFindings& run);
// results/costs.json of a trial.
std::string trial_costs_json(const TrialFindings& trial, const RunFindings& run);
// costs.json of a run: every arm once.
std::string run_costs_json(const RunFindings& run);

}  // namespace promptsweep
