// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep.h"

#include <algorithm>
#include <iostream>

#include "cli/command.h"
#include "cli/preflight.h"
#include "cli/stop_watch.h"
#include "cli/throughput.h"
#include "cli/trial_states.h"
#include "report/format.h"
#include "report/json.h"
#include "report/markdown.h"
#include "run/manifest.h"
#include "store/arm_store.h"
#include "store/run_schema.h"

namespace promptsweep {

Sweep::Sweep(SweepSetup setup, SweepWish wish, StopFlag& stop)
    : setup_(std::move(setup)), wish_(std::move(wish)), stop_(stop), observer_(wish_.quiet) {}

int Sweep::run() {
  if (Status chosen = choose(); !chosen) return fail(chosen.error());
  if (choice_.exists) {
    Result<bool> idle = has_nothing_to_do();
    if (!idle) return fail(idle.error());
    if (*idle) return nothing_to_do();
  }
  if (Status startable = check_startable(); !startable) return fail(startable.error());
  if (Status served = check_that_services_serve(); !served) return fail(served.error());
  Result<std::unique_ptr<RunStore>> opened = RunStore::open_for_writing(choice_.folder);
  if (!opened) return fail(opened.error());
  run_ = std::move(opened).value();
  if (Status adopted = adopt_places(); !adopted) return fail(adopted.error());
  const StopWatch watch(stop_, choice_.folder, how_to_go_on());
  return conclude(run_stages(*run_, stages(), wish_.stages, observer_, stop_));
}

Status Sweep::choose() {
  Result<RunChoice> choice = choose_run(wish_.run);
  if (!choice) return std::move(choice).error();
  choice_ = *std::move(choice);
  if (wish_.must_exist && !choice_.exists) {
    return Error{Code::invalid_input,
                 wish_.run.run_id
                     ? "nothing to resume: there is no run " + choice_.run_id
                     : std::string("nothing to resume: no incomplete run of this command and "
                                   "configuration is in ") +
                           wish_.run.experiments_folder.string()};
  }
  RunPlan& plan = setup_.planned.plan;
  plan.run_id = choice_.run_id;
  plan.command_line_json = wish_.run.command_line_json;
  plan.invocation_json = to_json(wish_.invocation);
  if (choice_.exists && !wish_.quiet) {
    std::cerr << (choice_.state == "incomplete" ? "continuing run " : "run ") << choice_.run_id
              << " in " << choice_.folder.string() << '\n';
  }
  return ok;
}

// Decides from the run's record alone: a complete or sealed run that holds today's plan. Phase
// flags ask to look at every phase, which a sealed run cannot need.
Result<bool> Sweep::has_nothing_to_do() const {
  const bool sealed = choice_.state == "sealed";
  if (!sealed && (choice_.state != "complete" || !wish_.stages.is_everything())) return false;
  Result<std::unique_ptr<RunStore>> run = RunStore::open_read_only(choice_.folder);
  if (!run) return std::move(run).error();
  Result<RunPlan> recorded = (*run)->plan();
  if (!recorded) return std::move(recorded).error();
  bool same = recorded->config_sha256 == setup_.planned.plan.config_sha256 &&
              recorded->items_sha256 == setup_.planned.plan.items_sha256 &&
              covers(*recorded, setup_.planned.plan);
  if (same) {  // the state is what was once found; what is stored decides
    Result<Tally> counts = tally();
    if (!counts) return std::move(counts).error();
    same = counts->accepted == counts->expected;
  }
  if (same && !sealed) {  // a report that somebody removed is made again
    Result<bool> there = recorded_files_exist(**run);
    if (!there) return std::move(there).error();
    same = *there;
  }
  if (same || !sealed) return same;
  return Error{
      Code::invalid_input,
      "run " + choice_.run_id +
          " is sealed and takes no more work, and this command needs some: give it another "
          "--run_id (or --new), and --reuse all so that what was answered is not asked "
          "again"};
}

Status Sweep::check_startable() {
  if (!choice_.exists && !wish_.stages.wants("prepare")) {
    return Error{Code::state, "run " + choice_.run_id +
                                  " does not exist yet: the phase prepare makes it, and the phase "
                                  "flags leave it out"};
  }
  if (!is_local() || !wish_.stages.wants("submit")) return ok;
  // A local engine's jobs end with this process: submit to parse are one step.
  if (wish_.skipped_stages.contains("poll")) {
    return Error{Code::invalid_input,
                 "--skip_poll: a local engine answers while the requests are submitted, so that "
                 "submit and poll are one step; --skip_submit leaves out both"};
  }
  for (const char* stage : {"poll", "parse"}) {
    if (!wish_.skipped_stages.contains(stage)) wish_.stages.add(stage);
  }
  return ok;
}

// Before anything is made or sent, and only where something is still to be asked.
Status Sweep::check_that_services_serve() {
  if (wish_.run.dry_run || !(wish_.stages.wants("submit") || wish_.stages.wants("poll"))) return ok;
  if (choice_.exists) {
    const Result<Tally> counts = tally();
    if (counts && counts->expected > 0 && counts->accepted == counts->expected) return ok;
  }
  return require_services(check_services(setup_, stop_));
}

// An arm stays where it was first made: a trial that gets another temperature has another name, its
// arms are the same.
Status Sweep::adopt_places() {
  const Result<RunPlan> recorded = run_->plan();
  if (!recorded) return recorded.error().code == Code::state ? Status(ok) : recorded.error();
  for (ArmSpec& arm : setup_.planned.plan.arms) {
    const ArmSpec* known = find_arm(*recorded, arm.arm_id);
    if (known != nullptr) arm.store_path = known->store_path;
  }
  return ok;
}

int Sweep::nothing_to_do() {
  std::cerr << "nothing to do: run " << choice_.run_id << " is " << choice_.state << '\n';
  std::error_code ignored;
  // A sealing that was cut off is finished.
  if (!wish_.archive || std::filesystem::exists(choice_.folder / checksums_name, ignored))
    return exit_ok;
  Result<std::unique_ptr<RunStore>> opened = RunStore::open_for_writing(choice_.folder);
  if (!opened) return fail(opened.error());
  run_ = std::move(opened).value();
  return seal();
}

bool Sweep::is_local() const {
  if (wish_.run.dry_run) return true;
  for (const EngineSpec& engine : setup_.planned.plan.engines) {
    const BackendFacts& facts = setup_.plugins.at(engine.backend).facts;
    if (facts.remote && facts.resumes) return false;
  }
  return true;
}

void Sweep::remember_speed() {
  if (wish_.run.dry_run) return;
  std::vector<Throughput> rates;
  for (const EngineSummary& engine : summary_.engines) {
    const EngineSpec* spec = find_engine(setup_.planned.plan, engine.engine_id);
    if (spec != nullptr && engine.seconds > 0 && engine.accepted_now > 0) {
      rates.push_back(
          {spec->backend, spec->model, static_cast<double>(engine.accepted_now) / engine.seconds});
    }
  }
  if (rates.empty()) return;
  if (Status kept = remember_rates(setup_.config.paths.experiments_dir, rates); !kept) {
    observer_.message(Severity::warning, kept.error().text);
  }
}

Result<Sweep::Tally> Sweep::tally() const {
  Result<std::unique_ptr<RunStore>> reader = RunStore::open_read_only(choice_.folder);
  if (!reader) return std::move(reader).error();
  Tally out;
  for (const ArmSpec& arm : setup_.planned.plan.arms) {
    Result<std::unique_ptr<ArmStore>> store = (*reader)->open_arm_read_only(arm);
    if (!store && store.error().code == Code::not_found) {  // planned and not built yet
      out.expected += arm.request_count;
      continue;
    }
    if (!store) return std::move(store).error();
    Result<ArmProgress> progress = (*store)->progress();
    if (!progress) return std::move(progress).error();
    Result<std::vector<JobRow>> jobs = (*store)->open_jobs();
    if (!jobs) return std::move(jobs).error();
    out.expected += progress->expected;
    out.accepted += progress->accepted;
    out.in_jobs += progress->in_jobs;
    out.jobs += static_cast<std::int64_t>(jobs->size());
    for (const auto& [outcome, count] : progress->outcomes) {
      if (outcome != Outcome::ok) out.not_ok[outcome] += count;
    }
  }
  return out;
}

Status Sweep::write_all_manifests() {
  Result<RunPlan> plan = run_->plan();
  if (!plan) return std::move(plan).error();
  Result<std::vector<ArmState>> states = arm_states(*run_, *plan);
  if (!states) return std::move(states).error();
  return write_manifests(*run_, *plan, *states);
}

Result<bool> Sweep::every_trial_is_complete() {
  Result<RunPlan> plan = run_->plan();
  if (!plan) return std::move(plan).error();
  const Result<std::vector<ArmState>> states = arm_states(*run_, *plan);
  if (!states) return states.error();
  return std::all_of(plan->trials.begin(), plan->trials.end(), [&](const TrialSpec& trial) {
    return trial.superseded || trial_complete(trial, *states);
  });
}

std::string Sweep::how_to_go_on() const {
  const bool usual_place = choice_.folder.parent_path() == "experiments";
  return "Go on with: promptsweep resume " +
         (usual_place ? choice_.run_id : choice_.folder.string()) +
         ", or with the same command again";
}

int Sweep::say_stopped() {
  Result<Tally> counts = tally();
  std::cerr << "stopped: run " << choice_.run_id;
  if (counts) {
    std::cerr << " has " << counts->accepted << " of " << counts->expected
              << " requests answered; in flight: ";
    if (counts->jobs == 0) {
      std::cerr << "nothing";
    } else {
      std::cerr << counts->jobs << " jobs with " << counts->in_jobs
                << " requests, left running at the provider (promptsweep stop --cancel_remote "
                   "cancels them)";
    }
  }
  std::cerr << ". " << how_to_go_on() << '\n';
  return exit_interrupted;
}

// A sweep whose every request was refused is complete too, and must not pass for a good one.
void Sweep::say_what_is_not_ok() const {
  const Result<Tally> counts = tally();
  if (!counts || counts->not_ok.empty()) return;
  std::string text;
  for (const auto& [outcome, count] : counts->not_ok) {
    text +=
        (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(outcome));
  }
  std::cerr << "run " << choice_.run_id << ": of " << counts->accepted
            << " requests that are answered, these have no ok answer: " << text << '\n';
}

void Sweep::print_findings() {
  Result<ResultStages*> made = results();
  if (!made) return;
  if (Status scored = (*made)->ready("stats"); !scored) return;
  Result<const RunFindings*> findings = (*made)->findings();
  if (!findings) return;
  if (wish_.json) {
    std::cout << run_significance_json(**findings) << std::flush;
    return;
  }
  std::cout << dry_run_line(choice_.run_id) << sweep_table(**findings) << "\nreport   "
            << (choice_.folder / "aggregate_report.md").string() << '\n';
  for (const EngineSummary& engine : summary_.engines) {
    if (engine.seconds <= 0 || wish_.run.dry_run) continue;
    std::cout << "speed    " << engine.model << ' '
              << static_cast<std::int64_t>(60.0 * static_cast<double>(engine.accepted_now) /
                                           engine.seconds)
              << " items/min\n";
  }
  print_counts();
  std::cout << std::flush;
}

// Answers of this invocation that did not come from asking once.
void Sweep::print_counts() const {
  if (summary_.retried > 0) {
    std::cout << "retries  " << summary_.retried << " requests were asked again\n";
  }
  if (summary_.reused > 0) {
    std::cout << "reused   " << summary_.reused << " answers of earlier runs\n";
  }
}

int Sweep::conclude(const Result<StagesDone>& done) {
  remember_speed();
  std::string problems;
  for (const std::string& problem : summary_.problems) {
    std::cerr << "problem: " << problem << '\n';
    problems += (problems.empty() ? "" : "; ") + problem;
  }
  if (!problems.empty()) keep_last_error(*run_, "submit", "run", problems);
  // The manifests tell of a failure too; where nothing is planned yet there are none.
  Status told = write_all_manifests();
  if (!done) {
    if (done.error().code == Code::cancelled) return say_stopped();
    if (stop_.requested()) {
      fail(done.error());  // it came with the stop, and is no part of it
      return say_stopped();
    }
    const int code = fail(done.error());
    if (asked_ && !summary_.complete) std::cerr << how_to_go_on() << ".\n";
    return code;
  }
  if (!told) return fail(told.error());
  // Of trials that the run has and this command does not ask for, too.
  Result<bool> all = every_trial_is_complete();
  if (!all) return fail(all.error());
  const char* state = done->everything && *all ? "complete" : "incomplete";
  if (Status set = run_->set_state(state); !set) return fail(set.error());
  const bool reported = wish_.stages.wants("stats") || wish_.stages.wants("report");
  if (reported) print_findings();
  if (asked_ || reported) say_what_is_not_ok();
  if (!done->wanted) {
    std::cerr << "run " << choice_.run_id << " is incomplete: ";
    if (Result<Tally> counts = tally()) {
      std::cerr << counts->accepted << " of " << counts->expected << " requests are answered. ";
    }
    std::cerr << how_to_go_on() << ".\n";
    return stop_.requested() ? exit_interrupted : exit_failed;
  }
  if (!done->everything) {
    std::cerr << "run " << choice_.run_id << ": the wanted phases are done, others are not. "
              << how_to_go_on() << ".\n";
    return exit_ok;
  }
  if (!*all) {
    std::cerr << "run " << choice_.run_id
              << ": what this command asks for is done; other trials of the run are not, "
                 "promptsweep status "
              << choice_.folder.string() << " names them"
              << (wish_.archive ? ", and so the run is not sealed" : "") << ".\n";
    return wish_.archive ? exit_failed : exit_ok;
  }
  return wish_.archive ? seal() : exit_ok;
}

int Sweep::seal() {
  if (Status sealed = seal_run(*run_); !sealed) return fail(sealed.error());
  std::cerr << "sealed " << choice_.folder.string() << "; sha256sum -c SHA256SUMS checks it\n";
  return exit_ok;
}

}  // namespace promptsweep
