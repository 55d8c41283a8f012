// SPDX-License-Identifier: Apache-2.0
// What `run` and `resume` share: the options, and the way from arguments to a Sweep.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/invocation.h"
#include "cli/sweep_setup.h"

namespace promptsweep {

// --only_step ... --force_step and how to print: what `resume` takes beside the recorded arguments.
boost::program_options::options_description walk_options();
boost::program_options::options_description run_options();

// A run that exists, with the record of how it was asked for.
struct ResumedRun {
  std::filesystem::path folder;  // absolute
  RunPlan recorded;
  Invocation invocation;
};
// Code::invalid_input: there is no such run, or its record lacks what is needed.
Result<ResumedRun> read_resumed_run(const std::string& experiments_folder, const std::string& run);
// Goes where relative paths of the recorded command line start.
Status enter_working_directory(const ResumedRun& run);

// `resumed`: null for a command line that a person wrote. Returns the exit code.
int run_command(const std::vector<std::string>& arguments, const ResumedRun* resumed);

}  // namespace promptsweep
