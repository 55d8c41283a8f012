// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_lookup.h"
#include "cli/run_view.h"
#include "report/format.h"

namespace promptsweep {
namespace {

std::string in_flight_text(const RunOverview& run) {
  std::size_t jobs = 0;
  for (const ArmOverview& arm : run.arms) jobs += arm.open_jobs.size();
  if (jobs == 0) return "";
  return "in flight " + std::to_string(jobs) + (jobs == 1 ? " job, " : " jobs, ") +
         std::to_string(run.progress().in_jobs) + " requests of them without an answer\n";
}

std::string text_of(const RunOverview& run) {
  const RunSummary& summary = run.summary;
  std::string out = "run       " + summary.run_id + " in " + summary.folder.string() +
                    "\nstate     " + summary.shown_state();
  if (summary.writer) out += " (" + *summary.writer + ")";
  const ArmProgress all = run.progress();
  const std::string outcomes = outcomes_text(all);
  out += "\nrequests  " + count_text(all) + (outcomes.empty() ? "" : ": " + outcomes) + "\n";
  out += in_flight_text(run);
  if (const std::string text = last_error_text(run); !text.empty())
    out += "problem   " + text + "\n";
  for (const ArmOverview* arm : run.damaged()) out += "problem   " + arm->problem + "\n";
  out += "next      " + next_step(run) + "\n";

  std::vector<std::vector<std::string>> rows{{"trial", "state", "requests"}};
  for (const TrialSpec& trial : run.plan.trials) {
    if (trial.superseded) continue;
    rows.push_back({trial.slug, trial_state(run, trial), count_text(run.progress_of(trial))});
  }
  if (rows.size() > 1) out += "\n" + text_table(rows, 2);
  rows = {{"engine", "backend", "requests", "in flight"}};
  for (const EngineSpec& engine : run.plan.engines) {
    const ArmProgress progress = run.progress_of(engine);
    rows.push_back(
        {engine.model, engine.backend, count_text(progress), std::to_string(progress.in_jobs)});
  }
  if (rows.size() > 1) out += "\n" + text_table(rows, 2);
  return out;
}

}  // namespace

int cmd_status(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = lookup_options();
  options.add_options()("run", po::value<std::string>(),
                        "a run's id or folder; the newest run when absent")  //
      ("json", "a JSON object instead of text");
  Result<ParsedArguments> parsed =
      parse_arguments(arguments, options, po::positional_options_description().add("run", 1));
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << "promptsweep status - how far a run is, who runs it, and how to go on.\n\n"
                 "  promptsweep status                        of the newest run\n"
                 "  promptsweep status r20260504123456\n"
                 "  promptsweep status experiments/run_r20260504123456 --json | jq .requests\n\n"
              << options
              << "\nExit codes: 0 told, 1 the run cannot be read, 2 there is no such run.\n";
    return exit_ok;
  }
  Result<RunSummary> run = chosen_run(*parsed);
  if (!run) return fail(run.error());
  Result<RunOverview> overview = read_overview(*run);
  if (!overview) return fail(overview.error());
  std::cout << (parsed->has("json") ? printed(status_json(*overview)) : text_of(*overview));
  return exit_ok;
}

}  // namespace promptsweep
