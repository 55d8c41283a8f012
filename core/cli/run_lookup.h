// SPDX-License-Identifier: Apache-2.0
// Which run a command's arguments mean: shared by the commands that manage runs.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "cli/arguments.h"
#include "store/catalog.h"

namespace promptsweep {

// --experiments_dir and --config.
boost::program_options::options_description lookup_options();

// --experiments_dir, else paths.experiments_dir of --config, else "experiments".
Result<std::filesystem::path> experiments_folder(const ParsedArguments& arguments);

// The run of the option "run"; the newest one where it is absent.
Result<RunSummary> chosen_run(const ParsedArguments& arguments);

}  // namespace promptsweep
