// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <iostream>
#include <thread>

#include "base/env.h"
#include "cli/command.h"
#include "cli/run_choice.h"
#include "cli/run_command.h"
#include "cli/stop_watch.h"
#include "cli/sweep.h"
#include "run/manifest.h"
#include "store/catalog.h"
#include "store/stop_request.h"

namespace promptsweep {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t patience_us = 10'000'000;
// How long a provider may take until a cancelled job is seen to have ended.
constexpr std::int64_t cancel_patience_us = 30'000'000;

// "run x is incomplete: 12 of 40 requests are answered"
Result<std::string> state_sentence(const std::filesystem::path& folder) {
  Result<std::unique_ptr<RunStore>> run = RunStore::open_read_only(folder);
  if (!run) return std::move(run).error();
  Result<RunPlan> plan = (*run)->plan();
  if (!plan) return std::move(plan).error();
  Result<std::string> state = (*run)->state();
  if (!state) return std::move(state).error();
  std::int64_t expected = 0, accepted = 0;
  Result<std::vector<ArmState>> arms = arm_states(**run, *plan);
  if (!arms) return std::move(arms).error();
  for (const ArmState& arm : *arms) {
    expected += arm.expected;
    accepted += arm.accepted;
  }
  return "run " + plan->run_id + " is " + *state + ": " + std::to_string(accepted) + " of " +
         std::to_string(expected) + " requests are answered";
}

int say_state(const std::filesystem::path& folder) {
  const Result<std::string> sentence = state_sentence(folder);
  if (!sentence) return fail(sentence.error());
  std::cout << *sentence << '\n';
  return exit_ok;
}

Status stop_writer(const std::filesystem::path& folder) {
  const std::string writer = writer_note(folder);
  std::cerr << "asking " << writer << " to stop\n";
  if (Status asked = request_stop(folder, writer); !asked) return asked;
  const std::int64_t deadline = monotonic_us() + patience_us;
  while (monotonic_us() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    Result<bool> runs = has_writer(folder);
    if (!runs) return std::move(runs).error();
    if (*runs && writer_note(folder) == writer) continue;
    if (is_stop_requested(folder, writer)) clear_stop_request(folder);
    return ok;
  }
  return Error{Code::timeout, writer +
                                  " still works on the run after 10 s; it was asked to stop "
                                  "and will when it can (or end that process)"};
}

// Attaches to the jobs that earlier processes left at providers and cancels them; what they had
// answered is kept.
Status cancel_left_open(const std::string& experiments_folder, const std::string& name) {
  const Result<ResumedRun> resumed = read_resumed_run(experiments_folder, name);
  if (!resumed) return resumed.error();
  if (Status entered = enter_working_directory(*resumed); !entered) return entered;
  Result<ParsedArguments> parsed = parse_arguments(resumed->invocation.arguments, run_options());
  if (!parsed) return std::move(parsed).error();
  Result<SweepSetup> setup = set_up_sweep(
      *parsed, {resumed->recorded.run_id, resumed->folder, is_dry_run(resumed->recorded.run_id),
                resumed->recorded.command_line_json});
  if (!setup) return std::move(setup).error();
  Result<std::unique_ptr<RunStore>> run = RunStore::open_for_writing(resumed->folder);
  if (!run) return std::move(run).error();
  Result<RunPlan> plan = (*run)->plan();
  if (!plan) return std::move(plan).error();
  const Result<std::unique_ptr<ItemSource>> items = (*run)->items();
  if (!items) return items.error();
  ExecuteOptions options = execute_options({}, *setup, is_dry_run(resumed->recorded.run_id));
  options.reach = Reach::cancel_only;
  options.stop_grace_us = cancel_patience_us;
  TerminalObserver observer(false);
  Result<ExecuteSummary> summary =
      execute(**run, *plan, **items, options, observer, stop_on_interrupt());
  if (!summary) return std::move(summary).error();
  std::string problems;
  for (const std::string& problem : summary->problems) problems += "\n  " + problem;
  if (summary->left_running > 0) {
    problems += "\n  " + std::to_string(summary->left_running) +
                " requests are in jobs that have not ended at the provider; they stay recorded: "
                "the same command asks again, a resumed run waits for them";
  }
  if (problems.empty()) return ok;
  return Error{Code::unavailable, "some jobs could not be cancelled:" + problems};
}

}  // namespace

int cmd_stop(const std::vector<std::string>& given) {
  std::vector<std::string> arguments = with_underscores(given);
  if (!arguments.empty() && !arguments.front().starts_with("-")) {
    arguments.insert(arguments.begin(), "--run_id");
  }
  po::options_description options("Options");
  options.add_options()                                                                    //
      ("run_id", po::value<std::string>(), "the run, where it is not the first argument")  //
      ("experiments_dir", po::value<std::string>()->default_value("experiments"),
       "where to look for the run's id")  //
      ("cancel_remote", "cancel the jobs that are left at providers, too");
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep stop - ask the process that works on a run to stop, from another "
           "terminal.\nWhat was answered is kept; remote jobs are left running, and a resumed "
           "run attaches to them.\n\n"
           "  promptsweep stop r20260504120000\n\n"
        << options
        << "\nExit codes: 0 nobody works on it (any more), 1 it did not stop within 10 s, 2 "
           "no such run.\n";
    return exit_ok;
  }
  if (!parsed->has("run_id")) {
    return fail(Error{Code::invalid_input, "stop needs a run: promptsweep stop RUN"});
  }
  const std::string place = parsed->get<std::string>("experiments_dir");
  const std::string name = parsed->get<std::string>("run_id");
  const Result<RunSummary> found = named_run(place, name);
  if (!found) return fail(found.error());
  const std::filesystem::path folder = std::filesystem::absolute(found->folder);
  Result<bool> runs = has_writer(folder);
  if (!runs) return fail(runs.error());
  if (*runs) {
    if (Status stopped = stop_writer(folder); !stopped) return fail(stopped.error());
  } else {
    std::cerr << "no process works on this run\n";
  }
  if (parsed->has("cancel_remote")) {
    if (Status cancelled = cancel_left_open(place, folder.string()); !cancelled) {
      return fail(cancelled.error());
    }
  }
  return say_state(folder);
}

}  // namespace promptsweep
