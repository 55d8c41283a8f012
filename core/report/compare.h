// SPDX-License-Identifier: Apache-2.0
// A comparison of two runs as text for a terminal and as JSON. Renders, computes nothing.
#pragma once

#include <string>

#include "analysis/compare.h"

namespace promptsweep {

std::string compare_text(const RunComparison& comparison);
// Fields: docs/managing_runs.md. Keys sorted, null for what is not measured.
std::string compare_json(const RunComparison& comparison);

}  // namespace promptsweep
