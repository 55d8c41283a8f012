// SPDX-License-Identifier: Apache-2.0
#include "cli/run_lookup.h"

#include "config/load.h"

namespace promptsweep {

namespace po = boost::program_options;

po::options_description lookup_options() {
  po::options_description options("Where the runs are");
  options.add_options()                                                                 //
      ("experiments_dir", po::value<std::string>(),                                     //
       "the folder that holds the runs (default: that of --config, else experiments)")  //
      ("config", po::value<std::string>(), "take paths.experiments_dir of this YAML file");
  return options;
}

Result<std::filesystem::path> experiments_folder(const ParsedArguments& arguments) {
  if (arguments.has("experiments_dir"))
    return std::filesystem::path(arguments.get<std::string>("experiments_dir"));
  if (!arguments.has("config")) return std::filesystem::path("experiments");
  Result<SweepConfig> config = load_config(arguments.get<std::string>("config"), Overrides{});
  if (!config) return std::move(config).error();
  return config->paths.experiments_dir;
}

Result<RunSummary> chosen_run(const ParsedArguments& arguments) {
  Result<std::filesystem::path> folder = experiments_folder(arguments);
  if (!folder) return std::move(folder).error();
  if (!arguments.has("run")) return newest_run(*folder);
  return named_run(*folder, arguments.get<std::string>("run"));
}

}  // namespace promptsweep
