// SPDX-License-Identifier: Apache-2.0
// A plan for people and for scripts.
#pragma once

#include <string>

#include "cli/sweep_setup.h"

namespace promptsweep {

std::string plan_text(const SweepSetup& setup);
// {"run_id", "trials": [...], "arms": [...], "requests", ...}: fields in docs/artifacts.md.
std::string plan_json(const SweepSetup& setup);

}  // namespace promptsweep
