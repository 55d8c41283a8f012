// SPDX-License-Identifier: Apache-2.0
// Findings as text for people. Renders, computes nothing; what is not measured prints as a dash.
#pragma once

#include <string>

#include "analysis/findings.h"

namespace promptsweep {

// reports/report.md of a trial.
std::string trial_markdown(const TrialFindings& trial);
// aggregate_report.md of a run.
std::string aggregate_markdown(const RunFindings& run);
// A plain-text table for the terminal: a row per trial, temperature and task type.
std::string sweep_table(const RunFindings& run);

}  // namespace promptsweep
