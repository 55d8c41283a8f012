// SPDX-License-Identifier: Apache-2.0
// How a run was asked for, kept in its record so that `resume` asks the same again, from anywhere.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/sweep_setup.h"
#include "records/plan.h"

namespace promptsweep {

struct Invocation {
  std::vector<std::string> arguments;       // lasting_arguments
  std::filesystem::path working_directory;  // that relative paths start from, absolute
  std::filesystem::path config;             // absolute
};

std::string to_json(const Invocation& invocation);
std::optional<Invocation> invocation_from_json(const std::string& json);

// What is not as it was when the run was planned, one sentence each: the configuration, a prompt,
// the instructions, the data. Empty: today's plan is the recorded one.
std::vector<std::string> changed_inputs(const RunPlan& recorded, const SweepSetup& today);

}  // namespace promptsweep
