// SPDX-License-Identifier: Apache-2.0
// How a sweep is run, from the command line, the configuration and what this machine has.
#pragma once

#include <boost/program_options.hpp>
#include <optional>

#include "cli/arguments.h"
#include "cli/sweep_setup.h"
#include "run/execute.h"

namespace promptsweep {

struct ExecutionWish {
  int max_concurrent_jobs = 4;
  std::optional<int> max_parallel_trials, lines_per_part, parts_per_dataset;
  bool accept_engine_change = false;
  Reuse reuse = Reuse::none;
};

// The options of how jobs are cut and how many things run at once.
boost::program_options::options_description execution_options();
Result<ExecutionWish> execution_wish(const ParsedArguments& arguments);

// `setup` must outlive the result. Asks the plugins what their engines need when execute() asks.
// `dry_run`: nothing is asked of any engine or machine, and no answer is kept or taken.
ExecuteOptions execute_options(const ExecutionWish& wish, const SweepSetup& setup, bool dry_run);

}  // namespace promptsweep
