// SPDX-License-Identifier: Apache-2.0
#include "run/manifest.h"

#include <nlohmann/json.hpp>

#include "base/env.h"
#include "prompt/render.h"
#include "store/arm_store.h"

namespace promptsweep {
namespace {

using nlohmann::json;

json outcomes_json(const ArmState& state) {
  json out = json::object();
  for (const auto& [outcome, count] : state.outcomes) out[std::string(to_string(outcome))] = count;
  return out;
}

json arm_json(const RunPlan& plan, const std::vector<ArmState>& states, const std::string& arm_id) {
  if (arm_id.empty()) return nullptr;
  const ArmSpec* arm = find_arm(plan, arm_id);
  const ArmState* state = find_arm_state(states, arm_id);
  json out{{"arm_id", arm_id}};
  if (arm != nullptr) {
    out["store"] = arm->store_path;
    out["samples_per_item"] = arm->decoding.samples_per_item;
    out["system_prompt"] = {{"path", arm->system_prompt_path},
                            {"sha256", arm->system_prompt_sha256},
                            {"tokens_estimate", estimate_tokens(arm->system_prompt)}};
    out["identity"] = json::parse(arm->identity_json, nullptr, false);
    if (out["identity"].is_discarded()) out["identity"] = nullptr;
  }
  if (state != nullptr) {
    out["requests"] = state->expected;
    out["accepted"] = state->accepted;
    out["complete"] = state->complete();
    out["outcomes"] = outcomes_json(*state);
    const json identity = json::parse(state->engine_identity_json, nullptr, false);
    out["engine"] = identity.is_discarded() ? json() : identity;
  }
  return out;
}

json trial_settings(const TrialSpec& trial) {
  return {{"id", trial.user_id.empty() ? json() : json(trial.user_id)},
          {"backend", trial.backend},
          {"model_id", trial.model},
          {"model_alias", trial.model_alias},
          {"prompt_set", trial.prompt_set},
          {"top_p", trial.top_p ? json(*trial.top_p) : json()},
          {"top_k", trial.top_k ? json(*trial.top_k) : json()},
          {"max_new_tokens",
           {{"closed_book", trial.max_new_tokens.closed_book},
            {"open_book", trial.max_new_tokens.open_book}}}};
}

json temps_of(const TrialSpec& trial) {
  json out = json::array();
  for (const ArmPair& pair : trial.pairs) out.push_back(pair.temperature);
  return out;
}

}  // namespace

const ArmState* find_arm_state(const std::vector<ArmState>& states, const std::string& arm_id) {
  for (const ArmState& state : states) {
    if (state.arm_id == arm_id) return &state;
  }
  return nullptr;
}

bool trial_complete(const TrialSpec& trial, const std::vector<ArmState>& states) {
  for (const ArmPair& pair : trial.pairs) {
    for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
      if (id.empty()) continue;
      const ArmState* state = find_arm_state(states, id);
      if (state == nullptr || !state->complete()) return false;
    }
  }
  return true;
}

Result<std::vector<ArmState>> arm_states(RunStore& run, const RunPlan& plan) {
  std::vector<ArmState> out;
  for (const ArmSpec& arm : plan.arms) {
    std::error_code ignored;
    if (!std::filesystem::exists(run.folder() / arm.store_path, ignored)) {
      out.push_back({arm.arm_id, arm.request_count, 0, {}, ""});
      continue;
    }
    Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
    if (!store) return std::move(store).error();
    Result<ArmProgress> progress = (*store)->progress();
    if (!progress) return std::move(progress).error();
    Result<std::string> identity = (*store)->engine_identity();
    if (!identity) return std::move(identity).error();
    out.push_back(
        {arm.arm_id, progress->expected, progress->accepted, progress->outcomes, *identity});
  }
  return out;
}

std::string trial_manifest_json(const RunPlan& plan, const TrialSpec& trial,
                                const std::vector<ArmState>& states) {
  json arms = json::array();
  for (const ArmPair& pair : trial.pairs) {
    arms.push_back({{"temperature", pair.temperature},
                    {"control", arm_json(plan, states, pair.control_arm_id)},
                    {"treatment", arm_json(plan, states, pair.treatment_arm_id)}});
  }
  json out{{"schema_version", 3},
           {"run_id", plan.run_id},
           {"slug", trial.slug},
           {"trial", trial_settings(trial)},
           {"temps", temps_of(trial)},
           {"items_sha256", plan.items_sha256},
           {"arms", arms},
           {"superseded", trial.superseded},
           {"status", trial_complete(trial, states) ? "complete" : "incomplete"}};
  return out.dump(2) + "\n";
}

std::string multi_trial_manifest_json(const RunPlan& plan, const std::vector<ArmState>& states,
                                      const RunRecord& record) {
  json trials = json::array();
  for (const TrialSpec& trial : plan.trials) {
    trials.push_back({{"slug", trial.slug},
                      {"trial", trial_settings(trial)},
                      {"temps", temps_of(trial)},
                      {"results_dir", trial.slug + "/results"},
                      {"reports_dir", trial.slug + "/reports"},
                      {"report_path", trial.slug + "/reports/report.md"},
                      {"superseded", trial.superseded},
                      {"status", trial_complete(trial, states) ? "complete" : "incomplete"}});
  }
  json phases = json::array();
  for (const PhaseRecord& phase : record.phases) {
    phases.push_back({{"phase", phase.phase},
                      {"subject", phase.subject},
                      {"done", !phase.input_hash.empty()},
                      {"at", phase.finished_at}});
  }
  json last_error = json::parse(record.last_error_json, nullptr, false);
  if (last_error.is_discarded()) last_error = nullptr;
  return json{{"schema_version", 3},   {"dry_run", is_dry_run(plan.run_id)},
              {"phases", phases},      {"last_error", last_error},
              {"run_id", plan.run_id}, {"num_trials", plan.trials.size()},
              {"trials", trials}}
             .dump(2) +
         "\n";
}

Result<RunRecord> run_record(RunStore& run) {
  RunRecord record;
  Result<std::vector<PhaseRecord>> phases = run.phases();
  if (!phases) return std::move(phases).error();
  record.phases = *std::move(phases);
  Result<std::string> last_error = run.last_error();
  if (!last_error) return std::move(last_error).error();
  record.last_error_json = *std::move(last_error);
  return record;
}

Status write_manifests(RunStore& run, const RunPlan& plan, const std::vector<ArmState>& states) {
  for (const TrialSpec& trial : plan.trials) {
    if (trial.superseded) continue;
    Result<std::string> put = put_artifact(run.folder() / trial.slug / "trial_manifest.json",
                                           trial_manifest_json(plan, trial, states));
    if (!put) return std::move(put).error();
  }
  const Result<RunRecord> record = run_record(run);
  if (!record) return record.error();
  Result<std::string> put = put_artifact(run.folder() / "multi_trial_manifest.json",
                                         multi_trial_manifest_json(plan, states, *record));
  if (!put) return std::move(put).error();
  return ok;
}

}  // namespace promptsweep
