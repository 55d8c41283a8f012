// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/command.h"
#include "cli/plan_view.h"
#include "cli/sweep_setup.h"

namespace promptsweep {

int cmd_plan(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = sweep_options();
  options.add_options()("json", "one JSON object instead of a table")  //
      ("run_id", po::value<std::string>(),
       "a run: says of each trial whether it is new, done, partly done or superseded there");
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << "promptsweep plan - what a sweep would run: trials, arms, requests, tokens. "
                 "Writes nothing,\n"
                 "and works where the plugin or the data is missing.\n\n"
                 "  promptsweep plan --config config/eval_config.local.yaml --limit_items 250\n"
                 "  promptsweep plan --config my.yaml --models small --temps 0,0.7 --json\n"
                 "  promptsweep plan --config my.yaml --run_id r20260504120000\n\n"
              << options << "\nExit codes: 0 planned, 2 the configuration or data is wrong.\n";
    return exit_ok;
  }
  const std::string run_id = parsed->has("run_id") ? parsed->get<std::string>("run_id") : "";
  Result<SweepSetup> setup = set_up_sweep(*parsed, {run_id, {}, is_dry_run(run_id), ""});
  if (!setup) return fail(setup.error());
  for (const std::string& warning : setup->config.warnings)
    std::cerr << "warning: " << warning << '\n';
  return show_plan(*setup, run_id, parsed->has("json"));
}

}  // namespace promptsweep
