// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "analysis/compare.h"
#include "analysis/trial_data.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_lookup.h"
#include "cli/run_view.h"
#include "config/flatten.h"
#include "report/compare.h"

namespace promptsweep {
namespace {

// One of the two runs, read.
struct Side {
  RunSummary summary;
  RunPlan plan;
  std::vector<TrialData> trials;
};

Result<Side> read_side(const std::filesystem::path& experiments, const std::string& name,
                       const AnalysisOptions& options) {
  Result<RunSummary> summary = named_run(experiments, name);
  if (!summary) return std::move(summary).error();
  if (summary->state == "unreadable") return Error{Code::data, summary->problem};
  Side out;
  out.summary = std::move(summary).value();
  Result<std::unique_ptr<RunStore>> run = RunStore::open_read_only(out.summary.folder);
  if (!run) return std::move(run).error();
  Result<RunPlan> plan = (*run)->plan();
  if (!plan) return std::move(plan).error();
  out.plan = std::move(plan).value();
  // A run that was cut off has answers without scores; they count as not answered.
  TrialLoader loader(**run, out.plan, options, LoadFor::comparison);
  for (const TrialSpec& trial : out.plan.trials) {
    if (trial.superseded) continue;
    Result<TrialData> data = loader.load(trial);
    if (!data) return std::move(data).error().in("run " + out.summary.run_id);
    out.trials.push_back(std::move(data).value());
  }
  return out;
}

Result<std::vector<KeyDifference>> document_differences(const std::string& a, const std::string& b,
                                                        const std::string& what) {
  const Result<std::map<std::string, std::string>> in_a = flatten_document(a, what + " of A");
  if (!in_a) return in_a.error();
  const Result<std::map<std::string, std::string>> in_b = flatten_document(b, what + " of B");
  if (!in_b) return in_b.error();
  return differences(*in_a, *in_b);
}

Result<RunComparison> compare(const Side& a, const Side& b, const AnalysisOptions& options) {
  RunComparison out = compare_runs(a.trials, b.trials, options);
  out.run_a = a.summary.run_id;
  out.run_b = b.summary.run_id;
  out.state_a = a.summary.shown_state();
  out.state_b = b.summary.shown_state();
  Result<std::vector<KeyDifference>> configuration =
      document_differences(a.plan.effective_config, b.plan.effective_config, "the configuration");
  if (!configuration) return std::move(configuration).error();
  out.configuration = std::move(configuration).value();
  const std::string command_a = command_text(a.plan.command_line_json);
  const std::string command_b = command_text(b.plan.command_line_json);
  if (command_a != command_b) out.command_line = {{"command", command_a, command_b}};
  for (TrialComparison& trial : out.trials) {
    if (trial.engine_a.empty() || trial.engine_b.empty()) continue;
    Result<std::vector<KeyDifference>> engine =
        document_differences(trial.engine_a, trial.engine_b, "the engine's identity");
    if (!engine) return std::move(engine).error();
    trial.engine = std::move(engine).value();
  }
  return out;
}

}  // namespace

int cmd_compare(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = lookup_options();
  options.add_options()("run", po::value<std::vector<std::string>>(),
                        "the two runs, ids or folders")  //
      ("bootstrap_samples", po::value<int>()->default_value(5000),
       "resamples of each interval")                                                 //
      ("seed", po::value<std::uint64_t>()->default_value(1337), "of the resamples")  //
      ("json", "a JSON object instead of text");
  Result<ParsedArguments> parsed =
      parse_arguments(arguments, options, po::positional_options_description().add("run", -1));
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep compare - two runs side by side: what differs in their configuration and\n"
           "engines, and, for trials with the same model, prompt set and decoding, what differs "
           "in\n"
           "each arm and in the treatment's effect. Differences are B - A over the items that "
           "both\n"
           "runs asked, with paired bootstrap intervals.\n\n"
           "  promptsweep compare r20260504123456 r20260511080000\n"
           "  promptsweep compare experiments/run_a /data/old/run_b --json\n\n"
        << options << "\nExit codes: 0 compared, 1 a run cannot be read, 2 there is no such run.\n";
    return exit_ok;
  }
  const std::vector<std::string> names = parsed->has("run")
                                             ? parsed->get<std::vector<std::string>>("run")
                                             : std::vector<std::string>();
  if (names.size() != 2) {
    return fail(
        Error{Code::invalid_input, "compare needs two runs, as in promptsweep compare A B; " +
                                       std::to_string(names.size()) + " were named"});
  }
  AnalysisOptions how;
  how.bootstrap_samples = parsed->get<int>("bootstrap_samples");
  how.random_seed = parsed->get<std::uint64_t>("seed");
  if (how.bootstrap_samples < 1)
    return fail(Error{Code::invalid_input, "--bootstrap_samples must be at least 1"});
  Result<std::filesystem::path> folder = experiments_folder(*parsed);
  if (!folder) return fail(folder.error());
  Result<Side> a = read_side(*folder, names[0], how);
  if (!a) return fail(a.error());
  Result<Side> b = read_side(*folder, names[1], how);
  if (!b) return fail(b.error());
  Result<RunComparison> found = compare(*a, *b, how);
  if (!found) return fail(found.error());
  std::cout << (parsed->has("json") ? compare_json(*found) : compare_text(*found));
  return exit_ok;
}

}  // namespace promptsweep
