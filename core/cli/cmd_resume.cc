// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <set>

#include "cli/command.h"
#include "cli/run_choice.h"
#include "cli/run_command.h"
#include "store/catalog.h"
#include "store/run_store.h"

namespace promptsweep {

namespace po = boost::program_options;

Result<ResumedRun> read_resumed_run(const std::string& experiments_folder, const std::string& run) {
  Result<RunSummary> found = named_run(experiments_folder, run);
  if (!found) return std::move(found).error();
  ResumedRun out;
  out.folder = std::filesystem::weakly_canonical(found->folder);
  Result<std::unique_ptr<RunStore>> store = RunStore::open_read_only(out.folder);
  if (!store) return std::move(store).error();
  Result<RunPlan> plan = (*store)->plan();
  if (!plan) return std::move(plan).error();
  out.recorded = *std::move(plan);
  std::optional<Invocation> invocation = invocation_from_json(out.recorded.invocation_json);
  if (!invocation) {
    return Error{Code::invalid_input, out.folder.string() +
                                          ": the run does not say how it was asked for; name it "
                                          "with promptsweep run --run_id"};
  }
  out.invocation = *std::move(invocation);
  return out;
}

Status enter_working_directory(const ResumedRun& run) {
  std::error_code failed;
  std::filesystem::current_path(run.invocation.working_directory, failed);
  if (!failed) return ok;
  return Error{Code::invalid_input, "run " + run.recorded.run_id + " was started in " +
                                        run.invocation.working_directory.string() +
                                        ", where its paths begin, and that folder cannot be "
                                        "entered: " +
                                        failed.message()};
}

namespace {

// The recorded arguments without those that are merged into the effective configuration.
std::vector<std::string> without_sweep_options(const std::vector<std::string>& arguments) {
  std::set<std::string> merged;
  const po::options_description options = sweep_options();
  for (const auto& option : options.options()) merged.insert("--" + option->long_name());
  merged.erase("--backend_path");
  std::vector<std::string> out;
  bool dropping = false;
  for (const std::string& argument : arguments) {
    if (argument.starts_with("--")) {
      dropping = merged.contains(argument.substr(0, argument.find('=')));
    }
    if (!dropping) out.push_back(argument);
  }
  return out;
}

po::options_description resume_options() {
  po::options_description options("Options");
  options.add_options()                                                                    //
      ("run_id", po::value<std::string>(), "the run, where it is not the first argument")  //
      ("experiments_dir", po::value<std::string>()->default_value("experiments"),
       "where to look for the run's id")  //
      ("recorded_config", "use the configuration as it was recorded, whatever the file says now");
  return options;
}

// The flags that are passed on to the run: everything that is not of resume itself.
std::vector<std::string> passed_on(const std::vector<std::string>& arguments) {
  const std::set<std::string> own{"--run_id", "--experiments_dir", "--recorded_config"};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string name = arguments[i].substr(0, arguments[i].find('='));
    if (!own.contains(name)) {
      out.push_back(arguments[i]);
    } else if (name != "--recorded_config" && name.size() == arguments[i].size()) {
      ++i;
    }
  }
  return out;
}

}  // namespace

int cmd_resume(const std::vector<std::string>& given) {
  std::vector<std::string> arguments = with_underscores(given);
  if (!arguments.empty() && !arguments.front().starts_with("-")) {
    arguments.insert(arguments.begin(), "--run_id");
  }
  po::options_description options = resume_options();
  options.add(walk_options());
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << "promptsweep resume - continue a run as it was asked for: its command line, its "
                 "configuration,\nits working directory. What is done is not done again.\n\n"
                 "  promptsweep resume r20260504120000\n"
                 "  promptsweep resume /data/experiments/run_r20260504120000 --to_step poll\n\n"
              << options
              << "\nWhen the configuration, a prompt, the instructions or the data changed since, "
                 "it says which and\nrefuses. Exit codes: as of run.\n";
    return exit_ok;
  }
  if (!parsed->has("run_id")) {
    return fail(Error{Code::invalid_input, "resume needs a run: promptsweep resume RUN"});
  }
  const Result<ResumedRun> run = read_resumed_run(parsed->get<std::string>("experiments_dir"),
                                                  parsed->get<std::string>("run_id"));
  if (!run) return fail(run.error());
  if (Status entered = enter_working_directory(*run); !entered) return fail(entered.error());
  std::vector<std::string> again = run->invocation.arguments;
  if (parsed->has("recorded_config")) {
    again = without_sweep_options(again);
    again.push_back("--config");
    again.push_back((run->folder / "effective_config.yaml").string());
  }
  for (std::string& flag : passed_on(arguments)) again.push_back(std::move(flag));
  return run_command(again, &*run);
}

}  // namespace promptsweep
