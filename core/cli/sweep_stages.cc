// SPDX-License-Identifier: Apache-2.0
// The nine stages of a run, in their order.
#include "base/digest.h"
#include "base/env.h"
#include "cli/sweep.h"
#include "cli/trial_states.h"
#include "dataset/selection_record.h"
#include "run/manifest.h"

namespace promptsweep {

std::vector<Stage> Sweep::stages() {
  const auto one = [](std::string name, std::string hash, auto execute, auto still_done) {
    return [=]() -> Result<std::vector<Phase>> {
      return std::vector<Phase>{{name, "run", hash, execute, still_done}};
    };
  };
  const auto all_built = [this]() -> Result<bool> {
    std::error_code ignored;
    for (const ArmSpec& arm : setup_.planned.plan.arms) {
      if (!std::filesystem::exists(run_->folder() / arm.store_path, ignored)) return false;
    }
    return true;
  };
  const auto all_accepted_by_backends = [this]() -> Result<bool> {
    Result<Tally> counts = tally();
    if (!counts) return std::move(counts).error();
    return counts->accepted + counts->in_jobs == counts->expected;
  };
  const auto all_answered = [this]() -> Result<bool> {
    Result<Tally> counts = tally();
    if (!counts) return std::move(counts).error();
    return counts->accepted == counts->expected;
  };
  const bool submits = wish_.stages.wants("submit"), polls = wish_.stages.wants("poll");

  std::vector<Stage> out;
  out.push_back({"prepare", []() -> Status { return ok; },
                 one(
                     "prepare", prepare_hash(), [this] { return prepare(); }, nullptr)});
  out.push_back({"build", [this] { return ready_after("build", "prepare", prepare_hash()); },
                 one(
                     "build", build_hash(), [this] { return build(); }, all_built)});
  out.push_back({"submit", [this] { return ready_after("submit", "build", build_hash()); },
                 one(
                     "submit", build_hash(),
                     [this, polls] { return ask(polls ? Reach::all : Reach::submit_only); },
                     all_accepted_by_backends)});
  out.push_back({"poll", [this] { return check_something_sent(); },
                 one(
                     "poll", build_hash(),
                     [this, submits] { return ask(submits ? Reach::all : Reach::poll_only); },
                     all_answered)});
  for (const char* name : {"parse", "score", "stats", "costs", "report"}) {
    out.push_back(result_stage(name));
  }
  return out;
}

std::string Sweep::prepare_hash() const {
  const RunPlan& plan = setup_.planned.plan;
  FieldHash hash;
  hash.add("prepare").add(plan.config_sha256).add(plan.items_sha256).add(plan.order);
  for (const ArmSpec& arm : plan.arms) hash.add(arm.arm_id).add(arm.store_path);
  for (const TrialSpec& trial : plan.trials) hash.add(trial.slug);
  for (const EngineSpec& engine : plan.engines) hash.add(engine.engine_id);
  return sha256_hex(hash.bytes());
}

std::string Sweep::build_hash() const {
  const RunPlan& plan = setup_.planned.plan;
  FieldHash hash;
  hash.add("build").add(plan.items_sha256);
  for (const ArmSpec& arm : plan.arms) hash.add(arm.arm_id).add(arm.request_count);
  return sha256_hex(hash.bytes());
}

// `needed` was done with today's inputs.
Status Sweep::ready_after(const std::string& stage, const std::string& needed,
                          const std::string& hash) {
  Result<std::optional<PhaseRecord>> known = run_->phase(needed, "run");
  if (!known) return std::move(known).error();
  if (*known && (*known)->input_hash == hash) return ok;
  const bool never = !*known || (*known)->input_hash.empty();
  return Error{Code::state,
               "the phase " + stage + " needs the phase " + needed + ", which " +
                   (never ? "has not been done yet" : "was done with other inputs than today's") +
                   "; without phase flags the run makes what is missing and nothing else"};
}

Status Sweep::check_something_sent() {
  if (Status built = ready_after("poll", "build", build_hash()); !built) return built;
  Result<Tally> counts = tally();
  if (!counts) return std::move(counts).error();
  if (counts->accepted + counts->in_jobs > 0 || wish_.stages.wants("submit")) return ok;
  return Error{Code::state,
               "the phase poll has nothing to wait for: the phase submit has sent no request of "
               "this run yet"};
}

Result<std::vector<PhaseOutput>> Sweep::prepare() {
  const RunPlan& plan = setup_.planned.plan;
  bool supersede = false;
  if (Result<RunPlan> before = run_->plan(); before) supersede = replaces_trials(*before, plan);
  // First: a run that was complete is not any more once it holds another plan.
  if (Status set = run_->set_state("incomplete"); !set) return std::move(set).error();
  if (Status pinned = pin(supersede); !pinned) return std::move(pinned).error();
  const std::filesystem::path path = run_->folder() / "effective_config.yaml";
  Result<std::string> sha256 = put_artifact(path, plan.effective_config);
  if (!sha256) return std::move(sha256).error();
  return std::vector<PhaseOutput>{{path, *sha256}};
}

// Writes the plan with its items, which are read from the run's store from then on.
Status Sweep::pin(bool supersede) {
  const RunPlan& plan = setup_.planned.plan;
  Result<std::unique_ptr<ItemSource>> recorded = Error{Code::not_found, ""};
  if (!setup_.items) {
    recorded = run_->pinned_items(plan.items_sha256);
    if (!recorded) return std::move(recorded).error();
  }
  const ItemSource& chosen = setup_.items ? *setup_.items : **recorded;
  if (Status written = run_->write_plan(plan, chosen, supersede); !written) return written;
  setup_.items.reset();
  return run_->record_selection({setup_.selection_input_hash, to_json(*setup_.selection)});
}

Result<const ItemSource*> Sweep::items() {
  if (!items_) {
    Result<std::unique_ptr<ItemSource>> read = run_->items();
    if (!read) return std::move(read).error();
    items_ = std::move(read).value();
  }
  return items_.get();
}

Result<std::vector<PhaseOutput>> Sweep::build() {
  const Result<const ItemSource*> all = items();
  if (!all) return all.error();
  if (Status built = build_arms(*run_, setup_.planned.plan, **all); !built)
    return std::move(built).error();
  // A person who looks into the folder while it goes finds out what it holds.
  if (Status told = write_all_manifests(); !told) return std::move(told).error();
  return std::vector<PhaseOutput>();
}

// The streaming loop goes through submit and poll in one go where both are wanted.
Result<std::vector<PhaseOutput>> Sweep::ask(Reach reach) {
  if (asked_) return std::vector<PhaseOutput>();
  const Result<const ItemSource*> all = items();
  if (!all) return all.error();
  ExecuteOptions options = execute_options(wish_.execution, setup_, wish_.run.dry_run);
  options.reach = reach;
  Result<ExecuteSummary> summary =
      execute(*run_, setup_.planned.plan, **all, options, observer_, stop_);
  if (!summary) return std::move(summary).error();
  asked_ = true;
  summary_ = *std::move(summary);
  if (summary_.stopped) return Error{Code::cancelled, "stopped"};
  return std::vector<PhaseOutput>();
}

Result<ResultStages*> Sweep::results() {
  if (results_) return results_.get();
  Result<RunPlan> all = run_->plan();
  if (!all) return std::move(all).error();
  plan_ = std::move(all).value();
  results_ = make_result_stages(
      {*run_, plan_, setup_.config, setup_.plugins, summary_.engines, observer_});
  return results_.get();
}

Stage Sweep::result_stage(const std::string& name) {
  return {name,
          [this, name]() -> Status {
            if (Status built = ready_after(name, "prepare", prepare_hash()); !built) return built;
            if (Status built = ready_after(name, "build", build_hash()); !built) return built;
            Result<ResultStages*> made = results();
            if (!made) return std::move(made).error();
            return (*made)->ready(name);
          },
          [this, name]() -> Result<std::vector<Phase>> {
            Result<ResultStages*> made = results();
            if (!made) return std::move(made).error();
            return (*made)->phases(name, wish_.stages.forces(name));
          }};
}

}  // namespace promptsweep
