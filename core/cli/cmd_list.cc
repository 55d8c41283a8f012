// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_lookup.h"
#include "cli/run_view.h"
#include "report/format.h"

namespace promptsweep {
namespace {

struct TrialCount {
  std::int64_t complete = 0, all = 0;
};

TrialCount count_trials(const RunOverview& run) {
  TrialCount out;
  for (const TrialSpec& trial : run.plan.trials) {
    if (trial.superseded) continue;
    ++out.all;
    out.complete += run.complete(trial) ? 1 : 0;
  }
  return out;
}

// A run that cannot be counted is listed as unreadable, with the reason.
std::optional<RunOverview> count(RunSummary& run) {
  if (run.state == "unreadable") return std::nullopt;
  Result<RunOverview> overview = read_overview(run);
  if (overview) return std::move(overview).value();
  run.state = "unreadable";
  run.problem = overview.error().text;
  return std::nullopt;
}

nlohmann::json entry_json(const RunSummary& run, const std::optional<RunOverview>& overview) {
  nlohmann::json out = summary_json(run);
  out["requests"] = out["trials"] = nullptr;
  if (!overview) return out;
  const TrialCount trials = count_trials(*overview);
  out["requests"] = progress_json(overview->progress());
  out["trials"] = {{"complete", trials.complete}, {"expected", trials.all}};
  return out;
}

std::vector<std::string> row(const RunSummary& run, const std::optional<RunOverview>& overview) {
  std::string trials(dash), requests(dash);
  if (overview) {
    const TrialCount counted = count_trials(*overview);
    trials = std::to_string(counted.complete) + "/" + std::to_string(counted.all);
    requests = count_text(overview->progress());
  }
  return {run.run_id,
          run.shown_state(),
          run.created_at.empty() ? std::string(dash) : run.created_at.substr(0, 19) + "Z",
          run.folder.string(),
          trials,
          requests};
}

}  // namespace

int cmd_list(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = lookup_options();
  options.add_options()("json", "a JSON array instead of a table");
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep list - the runs of an experiments folder, newest first.\n\n"
           "  promptsweep list\n"
           "  promptsweep list --experiments_dir /data/experiments --json\n\n"
           "States: running (somebody runs it now), complete, incomplete, sealed (archived),\n"
           "unreadable. Trials and requests are done/expected, without superseded trials.\n\n"
        << options << "\nExit codes: 0 listed, 1 the folder cannot be read, 2 bad input.\n";
    return exit_ok;
  }
  Result<std::filesystem::path> folder = experiments_folder(*parsed);
  if (!folder) return fail(folder.error());
  Result<std::vector<RunSummary>> runs = list_runs(*folder);
  if (!runs) return fail(runs.error());
  nlohmann::json entries = nlohmann::json::array();
  std::vector<std::vector<std::string>> rows{
      {"run", "state", "created", "folder", "trials", "requests"}};
  for (RunSummary& run : *runs) {
    const std::optional<RunOverview> overview = count(run);
    if (parsed->has("json")) {
      entries.push_back(entry_json(run, overview));
    } else {
      rows.push_back(row(run, overview));
      if (!run.problem.empty()) std::cerr << "run " << run.run_id << ": " << run.problem << '\n';
    }
  }
  if (parsed->has("json")) {
    std::cout << printed(entries);
  } else if (runs->empty()) {
    std::cerr << "there are no runs in " << folder->string() << '\n';
  } else {
    std::cout << text_table(rows, 4);
  }
  return exit_ok;
}

}  // namespace promptsweep
