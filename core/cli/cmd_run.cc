// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/command.h"
#include "cli/execution.h"
#include "cli/plan_view.h"
#include "cli/run_command.h"
#include "cli/stop_watch.h"
#include "cli/sweep.h"

namespace promptsweep {

namespace po = boost::program_options;

po::options_description walk_options() {
  po::options_description options(
      "Which phases (prepare build submit poll parse score stats costs "
      "report)");
  options.add_options()                                                         //
      ("only_step", po::value<std::string>(), "this phase alone")               //
      ("from_step", po::value<std::string>(), "this phase and those after it")  //
      ("to_step", po::value<std::string>(), "the phases up to this one")        //
      ("force_step", po::value<std::vector<std::string>>()->composing(),
       "do this phase again though its inputs are the same (answers are never asked again)");
  for (const std::string_view stage : stage_names) {
    options.add_options()(("skip_" + std::string(stage)).c_str(),
                          ("leave " + std::string(stage) + " out").c_str());
  }
  options.add_options()("json", "results (or, with --plan_only, the plan) as JSON")  //
      ("quiet", "no progress");
  return options;
}

po::options_description run_options() {
  po::options_description options = sweep_options();
  po::options_description running("How to run it");
  running.add_options()                                                                   //
      ("run_id", po::value<std::string>(), "continue or create the run of this id")       //
      ("new", "start a new run even where an incomplete one of the same command exists")  //
      ("resume", "continue a run, and refuse when there is none to continue")             //
      ("plan_only", "print the plan and stop; writes nothing")                            //
      ("dry_run", "ask no engine: made-up answers, in a run of its own kind")             //
      ("archive", "when complete: write SHA256SUMS and seal the run");
  return options.add(running).add(execution_options()).add(walk_options());
}

namespace {

void print_help(const po::options_description& options) {
  std::cout
      << "promptsweep run - run a sweep: ask every arm's questions, score, test, price, report.\n\n"
         "  promptsweep run --config config/eval_config.demo.yaml\n"
         "  promptsweep run --config my.yaml --models small --prompt_sets full_treatment "
         "--limit_items 100\n"
         "  promptsweep run --config my.yaml --plan_only --json\n"
         "  promptsweep run --config my.yaml --run_id first --from_step stats\n\n"
         "Interrupting costs at most what is in flight: the same command continues where it "
         "stopped,\nand so does promptsweep resume. What is done is not done again.\n\n"
      << options << "\nExit codes: 0 done, 1 failed or incomplete, 2 bad input, 130 interrupted.\n";
}

Status check_runnable(const SweepSetup& setup) {
  std::string text;
  for (const std::string& sentence : setup.config.run_refusals) text += "\n  " + sentence;
  for (const std::string& sentence : setup.missing) text += "\n  " + sentence;
  if (text.empty()) return ok;
  return Error{Code::invalid_input, "this sweep cannot run here:" + text};
}

Status check_unchanged(const ResumedRun& resumed, const SweepSetup& setup) {
  std::string text;
  for (const std::string& sentence : changed_inputs(resumed.recorded, setup)) {
    text += "\n  " + sentence;
  }
  if (text.empty()) return ok;
  return Error{
      Code::invalid_input,
      "run " + resumed.recorded.run_id +
          " cannot be resumed as it was asked for, because something changed since:" + text +
          "\nPut it back and resume; or make new trials of what changed under the same run "
          "id, with promptsweep run --run_id " +
          resumed.recorded.run_id + " and the options of your choice in " +
          resumed.invocation.working_directory.string() +
          "; or, when only the configuration changed, resume with --recorded_config"};
}

Result<StageChoice> stage_choice(const ParsedArguments& arguments, std::set<std::string>& skipped) {
  StageChoice::Wish wish;
  const auto name = [&](const char* flag) {
    return arguments.has(flag) ? std::optional(arguments.get<std::string>(flag)) : std::nullopt;
  };
  wish.only = name("only_step");
  wish.from = name("from_step");
  wish.to = name("to_step");
  if (arguments.has("force_step")) {
    for (const std::string& stage : arguments.list("force_step")) wish.force.insert(stage);
  }
  for (const std::string_view stage : stage_names) {
    if (arguments.has("skip_" + std::string(stage))) wish.skip.insert(std::string(stage));
  }
  skipped = wish.skip;
  return StageChoice::from(wish);
}

Result<SweepWish> sweep_wish(const std::vector<std::string>& arguments,
                             const ParsedArguments& parsed, const SweepSetup& setup,
                             const ResumedRun* resumed) {
  SweepWish wish;
  Result<StageChoice> stages = stage_choice(parsed, wish.skipped_stages);
  if (!stages) return std::move(stages).error();
  wish.stages = *std::move(stages);
  wish.run.experiments_folder = setup.config.paths.experiments_dir;
  if (parsed.has("run_id")) wish.run.run_id = parsed.get<std::string>("run_id");
  wish.run.always_new = parsed.has("new");
  wish.run.dry_run = parsed.has("dry_run");
  wish.run.config_sha256 = setup.planned.plan.config_sha256;
  wish.must_exist = parsed.has("resume");
  wish.archive = parsed.has("archive");
  wish.json = parsed.has("json");
  wish.quiet = parsed.has("quiet");
  Result<ExecutionWish> execution = execution_wish(parsed);
  if (!execution) return std::move(execution).error();
  wish.execution = *execution;
  if (wish.must_exist && wish.run.always_new) {
    return Error{Code::invalid_input, "--resume continues a run and --new makes one: use either"};
  }
  if (resumed != nullptr) {
    wish.run.place = resumed->folder;
    wish.run.command_line_json = resumed->recorded.command_line_json;
    wish.invocation = resumed->invocation;
    return wish;
  }
  wish.run.command_line_json = command_line_json(arguments);
  std::error_code ignored;
  wish.invocation = {lasting_arguments(arguments), std::filesystem::current_path(ignored),
                     std::filesystem::absolute(parsed.get<std::string>("config"))};
  return wish;
}

}  // namespace

int run_command(const std::vector<std::string>& arguments, const ResumedRun* resumed) {
  StopFlag& stop = stop_on_interrupt();
  // Reading large data takes its time, too. Longer than the patience of the run's own watch.
  const StopWatch watch(stop, {}, "Go on with the same command.", 4'700'000);
  Result<ParsedArguments> parsed = parse_arguments(arguments, run_options());
  if (!parsed) return fail(parsed.error());
  const std::string run_id = parsed->has("run_id") ? parsed->get<std::string>("run_id") : "";
  SetUpWish known;
  known.run_id = run_id;
  if (resumed != nullptr) known.place = resumed->folder;
  known.dry_run = parsed->has("dry_run");
  known.command_line_json =
      resumed != nullptr ? resumed->recorded.command_line_json : command_line_json(arguments);
  Result<SweepSetup> setup = set_up_sweep(*parsed, known);
  if (!setup) return fail(setup.error());
  for (const std::string& warning : setup->config.warnings)
    std::cerr << "warning: " << warning << '\n';
  Result<SweepWish> wish = sweep_wish(arguments, *parsed, *setup, resumed);
  if (!wish) return fail(wish.error());
  if (parsed->has("plan_only")) {
    const bool is_named = parsed->has("dry_run") && !run_id.empty() && !is_dry_run(run_id);
    return show_plan(*setup, is_named ? std::string(dry_run_prefix) + run_id : run_id,
                     parsed->has("json"));
  }
  if (Status runnable = check_runnable(*setup); !runnable) return fail(runnable.error());
  if (resumed != nullptr) {
    if (Status same = check_unchanged(*resumed, *setup); !same) return fail(same.error());
  }
  if (stop.requested()) {
    std::cerr << "stopped before anything began\n";
    return exit_interrupted;
  }
  return Sweep(*std::move(setup), *std::move(wish), stop).run();
}

int cmd_run(const std::vector<std::string>& arguments) {
  const po::options_description options = run_options();
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    print_help(options);
    return exit_ok;
  }
  return run_command(arguments, nullptr);
}

}  // namespace promptsweep
