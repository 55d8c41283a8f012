// SPDX-License-Identifier: Apache-2.0
// What a metric's finding says, as a sentence.
#pragma once

#include <string>
#include <vector>

#include "analysis/findings.h"

namespace promptsweep {

// "Abstention rose by 23.1 points (12.0 % to 35.1 %; 95 % CI [+15.0, +31.2]); q = 0.002." or
// "Accuracy (exact match): no detectable change (+0.3 points; 95 % CI [-4.1, +4.7]); q = 0.910."
// Empty for what is not measured.
std::string verdict_sentence(const MetricFinding& metric, double conf_level);

// The sentences of a block: its primary metrics, and accuracy on answerable questions beside
// open-book accuracy.
std::vector<std::string> verdict_sentences(const BlockFindings& block,
                                           const AnalysisOptions& options);

}  // namespace promptsweep
