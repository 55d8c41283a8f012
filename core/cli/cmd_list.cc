// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "store/catalog.h"

namespace promptsweep {

int cmd_list(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("experiments_dir", po::value<std::string>()->default_value("experiments"),
                        "where the runs lie")("json", "a JSON array instead of a table");
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << "promptsweep list - the runs of an experiments folder, newest first.\n\n"
              << options;
    return exit_ok;
  }
  Result<std::vector<RunSummary>> runs = list_runs(parsed->get<std::string>("experiments_dir"));
  if (!runs) return fail(runs.error());
  if (parsed->has("json")) {
    nlohmann::json out = nlohmann::json::array();
    for (const RunSummary& run : *runs) {
      out.push_back({{"run_id", run.run_id},
                     {"state", run.state},
                     {"created_at", run.created_at},
                     {"folder", run.folder.string()},
                     {"config_sha256", run.config_sha256}});
    }
    std::cout << out.dump(2) << '\n';
    return exit_ok;
  }
  for (const RunSummary& run : *runs) {
    std::cout << run.run_id << "  " << run.state << "  " << run.created_at << "  "
              << run.folder.string() << '\n';
  }
  return exit_ok;
}

}  // namespace promptsweep
