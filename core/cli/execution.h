// SPDX-License-Identifier: Apache-2.0
// How a sweep is run, from the command line, the configuration and what this machine has.
#pragma once

#include <boost/program_options.hpp>

#include "cli/arguments.h"
#include "cli/sweep_setup.h"
#include "run/execute.h"

namespace promptsweep {

// The options of how jobs are cut and how many things run at once.
boost::program_options::options_description execution_options();

// `setup` must outlive the result. Asks the plugins what their engines need when execute() asks.
ExecuteOptions execution_from(const ParsedArguments& arguments, const SweepSetup& setup);

}  // namespace promptsweep
