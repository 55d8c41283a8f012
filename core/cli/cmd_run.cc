// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/env.h"
#include "cli/command.h"
#include "cli/execution.h"
#include "cli/plan_view.h"
#include "cli/results.h"
#include "cli/run_choice.h"
#include "cli/sweep_setup.h"
#include "cli/terminal.h"
#include "cli/throughput.h"
#include "dataset/selection_record.h"
#include "report/json.h"
#include "report/markdown.h"
#include "run/execute.h"
#include "run/manifest.h"

namespace promptsweep {
namespace {

namespace po = boost::program_options;

StopFlag stop;

// The first Ctrl-C asks; the second leaves at once (stores are crash-safe, so nothing is lost).
void handle_interrupt(int) {
  if (stop.requested()) leave_now(exit_interrupted);
  stop.request();
}

po::options_description run_options() {
  po::options_description options = sweep_options();
  po::options_description running("How to run it");
  running.add_options()                                                                   //
      ("run_id", po::value<std::string>(), "continue or create the run of this id")       //
      ("new", "start a new run even where an incomplete one of the same command exists")  //
      ("plan_only", "print the plan and stop")                                            //
      ("archive", "when complete: write SHA256SUMS and seal the run")                     //
      ("json", "results (or, with --plan_only, the plan) as JSON")                        //
      ("quiet", "no progress");
  return options.add(running).add(execution_options());
}

void print_help(const po::options_description& options) {
  std::cout
      << "promptsweep run - run a sweep: ask every arm's questions, score, test, price, report.\n\n"
         "  promptsweep run --config config/eval_config.demo.yaml\n"
         "  promptsweep run --config my.yaml --models small --prompt_sets full_treatment "
         "--limit_items 100\n"
         "  promptsweep run --config my.yaml --plan_only --json\n\n"
         "Interrupting costs at most what is in flight: the same command continues where it "
         "stopped.\n\n"
      << options
      << "\nExit codes: 0 complete, 1 failed or incomplete, 2 bad input, 130 interrupted.\n";
}

Status check_runnable(const SweepSetup& setup) {
  std::string text;
  for (const std::string& sentence : setup.config.run_refusals) text += "\n  " + sentence;
  for (const std::string& sentence : setup.missing) text += "\n  " + sentence;
  if (text.empty()) return ok;
  return Error{Code::invalid_input, "this sweep cannot run here:" + text};
}

// A trial that has the settings of an earlier one and another slug replaces it: something that
// changes answers was edited.
bool replaces_trials(const RunPlan& before, const RunPlan& now) {
  const auto same_settings = [](const TrialSpec& a, const TrialSpec& b) {
    return a.backend == b.backend && a.model == b.model && a.prompt_set == b.prompt_set &&
           a.top_p == b.top_p && a.top_k == b.top_k && a.max_new_tokens == b.max_new_tokens;
  };
  for (const TrialSpec& old : before.trials) {
    bool kept = old.superseded, replaced = false;
    for (const TrialSpec& trial : now.trials) {
      kept = kept || trial.slug == old.slug;
      replaced = replaced || same_settings(trial, old);
    }
    if (!kept && replaced) return true;
  }
  return false;
}

// One invocation of `run` after its arguments are understood.
class Sweep {
 public:
  Sweep(SweepSetup setup, const ParsedArguments& arguments)
      : setup_(std::move(setup)), arguments_(arguments), observer_(arguments.has("quiet")) {}

  int run(const std::string& command_line) {
    Result<RunChoice> choice = choose(command_line);
    if (!choice) return fail(choice.error());
    if (choice->state == "sealed") return nothing_to_do(*choice);
    Result<bool> worth_it = open(*choice);
    if (!worth_it) return fail(worth_it.error());
    if (!*worth_it) return nothing_to_do(*choice);

    on_interrupt(&handle_interrupt);
    const ExecuteOptions options = execution_from(arguments_, setup_);
    Result<ExecuteSummary> summary =
        execute(*run_, setup_.planned.plan, *items_, options, observer_, stop);
    if (!summary) return fail(summary.error());
    remember(*summary);
    Result<RunFindings> findings = results(*summary);
    if (!findings) return fail(std::move(findings).error().in("results of run " + choice->run_id));
    return conclude(*choice, *summary, *findings);
  }

 private:
  Result<RunChoice> choose(const std::string& command_line) {
    RunWish wish;
    wish.experiments_folder = setup_.config.paths.experiments_dir;
    if (arguments_.has("run_id")) wish.run_id = arguments_.get<std::string>("run_id");
    wish.always_new = arguments_.has("new");
    wish.config_sha256 = setup_.planned.plan.config_sha256;
    wish.command_line_json = command_line;
    Result<RunChoice> choice = choose_run(wish);
    if (!choice) return choice;
    setup_.planned.plan.run_id = choice->run_id;
    setup_.planned.plan.command_line_json = command_line;
    if (choice->exists && !arguments_.has("quiet")) {
      std::cerr << (choice->state == "incomplete" ? "continuing run " : "run ") << choice->run_id
                << " in " << choice->folder.string() << '\n';
    }
    return choice;
  }

  // Phases prepare and build. False: the run is complete and the plan asks for nothing more.
  Result<bool> open(const RunChoice& choice) {
    Result<std::unique_ptr<RunStore>> opened = RunStore::open_for_writing(choice.folder);
    if (!opened) return std::move(opened).error();
    run_ = std::move(opened).value();
    bool supersede = false;
    if (choice.exists) {
      Result<RunPlan> before = run_->plan();
      if (before) {
        supersede = replaces_trials(*before, setup_.planned.plan);
        bool same = choice.state == "complete" && !supersede;
        for (const TrialSpec& trial : setup_.planned.plan.trials) {
          bool known = false;
          for (const TrialSpec& old : before->trials)
            known = known || (old.slug == trial.slug && !old.superseded);
          same = same && known;
        }
        if (same && before->config_sha256 == setup_.planned.plan.config_sha256) return false;
      }
    }
    const RunPlan& plan = setup_.planned.plan;
    if (Status pinned = pin(plan, supersede); !pinned) return std::move(pinned).error();
    if (Status set = run_->set_state("incomplete"); !set) return std::move(set).error();
    Result<std::string> config =
        put_artifact(run_->folder() / "effective_config.yaml", plan.effective_config);
    if (!config) return std::move(config).error();
    if (Status built = build_arms(*run_, plan, *items_); !built) return std::move(built).error();
    Result<std::vector<ArmState>> states = arm_states(*run_, plan);
    if (!states) return std::move(states).error();
    if (Status manifests = write_manifests(*run_, plan, *states); !manifests)
      return std::move(manifests).error();
    return true;
  }

  // Writes the plan with its items, which are read from the run's store from then on.
  Status pin(const RunPlan& plan, bool supersede) {
    Result<std::unique_ptr<ItemSource>> recorded = Error{Code::not_found, ""};
    if (!setup_.items) {
      recorded = run_->pinned_items(plan.items_sha256);
      if (!recorded) return std::move(recorded).error();
    }
    const ItemSource& chosen = setup_.items ? *setup_.items : **recorded;
    if (Status written = run_->write_plan(plan, chosen, supersede); !written) return written;
    setup_.items.reset();
    Status noted =
        run_->record_selection({setup_.selection_input_hash, to_json(*setup_.selection)});
    if (!noted) return noted;
    Result<std::unique_ptr<ItemSource>> items = run_->items();
    if (!items) return std::move(items).error();
    items_ = std::move(items).value();
    return ok;
  }

  void remember(const ExecuteSummary& summary) {
    std::vector<Throughput> rates;
    for (const EngineSummary& engine : summary.engines) {
      const EngineSpec* spec = find_engine(setup_.planned.plan, engine.engine_id);
      if (spec != nullptr && engine.seconds > 0) {
        rates.push_back({spec->backend, spec->model,
                         static_cast<double>(engine.accepted_now) / engine.seconds});
      }
    }
    if (Status kept = remember_rates(setup_.config.paths.experiments_dir, rates); !kept) {
      observer_.message(Severity::warning, kept.error().text);
    }
  }

  // Every trial ever planned, superseded ones included, so that reports can list them.
  Result<RunFindings> results(const ExecuteSummary& summary) {
    Result<RunPlan> all = run_->plan();
    if (!all) return std::move(all).error();
    plan_ = std::move(all).value();
    return make_results(*run_, plan_, setup_.config, setup_.plugins, summary.engines, observer_);
  }

  int conclude(const RunChoice& choice, const ExecuteSummary& summary,
               const RunFindings& findings) {
    for (const std::string& problem : summary.problems) std::cerr << "problem: " << problem << '\n';
    std::cout << (arguments_.has("json") ? run_significance_json(findings) : sweep_table(findings));
    std::cout << std::flush;
    if (!arguments_.has("json")) {
      std::cout << "\nreport   " << (choice.folder / "aggregate_report.md").string() << '\n';
      for (const EngineSummary& engine : summary.engines) {
        if (engine.seconds <= 0) continue;
        std::cout << "speed    " << engine.model << ' '
                  << static_cast<std::int64_t>(60.0 * static_cast<double>(engine.accepted_now) /
                                               engine.seconds)
                  << " items/min\n";
      }
    }
    if (!summary.complete) {
      std::cerr << "run " << choice.run_id << " is incomplete; run the same command again to go on"
                << (arguments_.has("run_id") ? ""
                                             : " (or name it with --run_id " + choice.run_id + ")")
                << '\n';
      return summary.stopped ? exit_interrupted : exit_failed;
    }
    if (Status set = run_->set_state("complete"); !set) return fail(set.error());
    if (arguments_.has("archive")) {
      if (Status sealed = seal_run(*run_); !sealed) return fail(sealed.error());
      std::cerr << "sealed " << choice.folder.string() << "; sha256sum -c SHA256SUMS checks it\n";
    }
    return exit_ok;
  }

  int nothing_to_do(const RunChoice& choice) {
    std::cerr << "nothing to do: run " << choice.run_id << " is " << choice.state << '\n';
    if (arguments_.has("archive") && choice.state == "complete") {
      if (Status sealed = seal_run(*run_); !sealed) return fail(sealed.error());
      std::cerr << "sealed " << choice.folder.string() << '\n';
    }
    return exit_ok;
  }

  SweepSetup setup_;
  const ParsedArguments& arguments_;
  TerminalObserver observer_;
  std::unique_ptr<RunStore> run_;
  std::unique_ptr<ItemSource> items_;  // of run_
  RunPlan plan_;
};

}  // namespace

int cmd_run(const std::vector<std::string>& arguments) {
  const po::options_description options = run_options();
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    print_help(options);
    return exit_ok;
  }
  Result<SweepSetup> setup =
      set_up_sweep(*parsed, parsed->has("run_id") ? parsed->get<std::string>("run_id") : "",
                   command_line_json(arguments));
  if (!setup) return fail(setup.error());
  for (const std::string& warning : setup->config.warnings)
    std::cerr << "warning: " << warning << '\n';
  if (parsed->has("plan_only")) {
    std::cout << (parsed->has("json") ? plan_json(*setup) : plan_text(*setup));
    return exit_ok;
  }
  if (Status runnable = check_runnable(*setup); !runnable) return fail(runnable.error());
  return Sweep(std::move(setup).value(), *parsed).run(command_line_json(arguments));
}

}  // namespace promptsweep
