// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_lookup.h"
#include "cli/run_view.h"
#include "report/format.h"

namespace promptsweep {
namespace {

using nlohmann::json;

// costs.json of the run; null before there is one.
json costs_of(const RunSummary& run) {
  const Result<std::string> text = read_file(run.folder / "costs.json");
  return text ? parsed(*text) : json();
}

// The identity that any arm of the engine recorded; null: nothing ran yet.
json identity_of(const RunOverview& run, const EngineSpec& engine) {
  for (std::size_t i = 0; i < run.arms.size(); ++i) {
    if (run.plan.arms[i].engine_id == engine.engine_id && !run.arms[i].engine_identity.empty())
      return parsed(run.arms[i].engine_identity);
  }
  return nullptr;
}

std::string prompt_set_of(const ArmSpec& arm) {
  return arm.condition == Condition::control ? std::string(dash) : arm.prompt_set;
}

std::string temperatures_of(const TrialSpec& trial) {
  std::string out;
  for (const ArmPair& pair : trial.pairs)
    out += (out.empty() ? "" : " ") + format_number(pair.temperature);
  return out;
}

// --- text

void add_head(const RunOverview& run, std::string& out) {
  const RunSummary& summary = run.summary;
  out += "run       " + summary.run_id + " in " + summary.folder.string() + "\nstate     " +
         summary.shown_state();
  if (summary.writer) out += " (" + *summary.writer + ")";
  out += "\ncreated   " + summary.created_at + "\ncommand   " +
         command_text(summary.command_line_json) + "\nconfig    sha256 " + summary.config_sha256 +
         "\nitems     sha256 " + run.plan.items_sha256 + "\norder     " + run.plan.order + "\n";
  const ArmProgress all = run.progress();
  const std::string outcomes = outcomes_text(all);
  out += "requests  " + count_text(all) + (outcomes.empty() ? "" : ": " + outcomes) + "\n";
  if (const std::string text = last_error_text(run); !text.empty())
    out += "problem   " + text + "\n";
  for (const ArmOverview* arm : run.damaged()) out += "problem   " + arm->problem + "\n";
}

void add_cost(const RunOverview& run, std::string& out) {
  const json costs = costs_of(run.summary);
  if (!costs.is_object()) return;
  const json total = costs.value("usd_total", json());
  out += "cost      ";
  out += total.is_number() ? dollars(total.get<double>()) : "no arm has a price";
  const json lower = costs.value("lower_bound", json());
  if (total.is_number() && lower.is_boolean() && lower.get<bool>()) out += " at least";
  out += "\n";
}

void add_table(const std::string& title, const std::vector<std::vector<std::string>>& rows,
               std::size_t left, std::string& out) {
  if (rows.size() > 1) out += "\n" + title + "\n" + text_table(rows, left);
}

void add_engines(const RunOverview& run, std::string& out) {
  if (!run.plan.engines.empty()) out += "\nengines\n";
  for (const EngineSpec& engine : run.plan.engines) {
    const json identity = identity_of(run, engine);
    out += engine.model + " (" + engine.backend + ", isolation " + engine.isolation +
           "): " + count_text(run.progress_of(engine)) + " requests\n  options   " +
           engine.options_json + "\n  identity  " +
           (identity.is_null() ? "nothing ran yet" : identity.dump()) + "\n";
  }
}

void add_trials(const RunOverview& run, std::string& out) {
  std::vector<std::vector<std::string>> rows{
      {"trial", "model", "prompt set", "state", "T", "requests"}};
  for (const TrialSpec& trial : run.plan.trials) {
    rows.push_back({trial.slug, trial.model_alias.empty() ? trial.model : trial.model_alias,
                    trial.prompt_set, trial_state(run, trial), temperatures_of(trial),
                    count_text(run.progress_of(trial))});
  }
  add_table("trials", rows, 4, out);
}

void add_arms(const RunOverview& run, std::string& out) {
  std::vector<std::vector<std::string>> rows{
      {"arm", "condition", "prompt set", "outcomes", "T", "requests"}};
  for (std::size_t i = 0; i < run.arms.size(); ++i) {
    const ArmSpec& spec = run.plan.arms[i];
    const ArmOverview& arm = run.arms[i];
    std::string outcomes = outcomes_text(arm.progress);
    if (!arm.problem.empty()) outcomes = "unreadable";
    if (!arm.live) outcomes += (outcomes.empty() ? "" : ", ") + std::string("superseded");
    rows.push_back({arm.arm_id, std::string(to_string(spec.condition)), prompt_set_of(spec),
                    outcomes.empty() ? std::string(dash) : outcomes,
                    format_number(spec.decoding.temperature), count_text(arm.progress)});
  }
  add_table("arms", rows, 4, out);
}

void add_phases(const RunOverview& run, std::string& out) {
  std::vector<std::vector<std::string>> rows{{"phase", "of", "finished"}};
  for (const PhaseRecord& phase : run.phases) {
    rows.push_back(
        {phase.phase, phase.subject,
         phase.input_hash.empty() ? "not done (left out or failed)" : phase.finished_at});
  }
  add_table("phases", rows, 3, out);
}

void add_jobs(const RunOverview& run, std::string& out) {
  std::vector<std::vector<std::string>> rows{
      {"job", "arm", "type", "state", "created", "token", "requests"}};
  for (const ArmOverview& arm : run.arms) {
    for (const JobRow& job : arm.open_jobs) {
      rows.push_back({job.job_id, arm.arm_id, std::string(to_string(job.type)), job.state,
                      utc_from_unix_us(job.created_unix_us),
                      job.resume_token.empty() ? std::string(dash) : token_text(job.resume_token),
                      std::to_string(job.request_count)});
    }
  }
  add_table("jobs still open", rows, 6, out);
}

std::string text_of(const RunOverview& run) {
  std::string out;
  add_head(run, out);
  add_cost(run, out);
  out += "next      " + next_step(run) + "\n";
  add_engines(run, out);
  add_trials(run, out);
  add_arms(run, out);
  add_phases(run, out);
  add_jobs(run, out);
  return out;
}

// --- JSON

json arm_json(const RunOverview& run, std::size_t index) {
  const ArmSpec& spec = run.plan.arms[index];
  const ArmOverview& arm = run.arms[index];
  return {
      {"arm_id", spec.arm_id},
      {"engine_id", spec.engine_id},
      {"condition", std::string(to_string(spec.condition))},
      {"prompt_set", spec.condition == Condition::control ? json() : json(spec.prompt_set)},
      {"temperature", spec.decoding.temperature},
      {"samples_per_item", spec.decoding.samples_per_item},
      {"system_prompt", {{"path", spec.system_prompt_path}, {"sha256", spec.system_prompt_sha256}}},
      {"store", spec.store_path},
      {"superseded", !arm.live},
      {"requests", progress_json(arm.progress)},
      {"identity", parsed(spec.identity_json)},
      {"engine_identity", parsed(arm.engine_identity)},
      {"problem", arm.problem.empty() ? json() : json(arm.problem)}};
}

json trial_json(const RunOverview& run, const TrialSpec& trial) {
  json pairs = json::array();
  for (const ArmPair& pair : trial.pairs) {
    const auto id = [](const std::string& arm) { return arm.empty() ? json() : json(arm); };
    pairs.push_back({{"temperature", pair.temperature},
                     {"control", id(pair.control_arm_id)},
                     {"treatment", id(pair.treatment_arm_id)}});
  }
  return {{"slug", trial.slug},
          {"state", trial_state(run, trial)},
          {"backend", trial.backend},
          {"model_id", trial.model},
          {"model_alias", trial.model_alias},
          {"prompt_set", trial.prompt_set},
          {"top_p", trial.top_p ? json(*trial.top_p) : json()},
          {"top_k", trial.top_k ? json(*trial.top_k) : json()},
          {"arms", pairs},
          {"requests", progress_json(run.progress_of(trial))}};
}

json json_of(const RunOverview& run) {
  json out = status_json(run);
  out["command_line"] = parsed(run.summary.command_line_json);
  out["items_sha256"] = run.plan.items_sha256;
  out["order"] = run.plan.order;
  out["costs"] = costs_of(run.summary);
  for (json& engine : out["engines"]) {
    const EngineSpec* spec = find_engine(run.plan, engine["engine_id"].get<std::string>());
    if (spec == nullptr) continue;
    engine["isolation"] = spec->isolation;
    engine["options"] = parsed(spec->options_json);
    engine["identity"] = identity_of(run, *spec);
  }
  out["trials"] = json::array();
  for (const TrialSpec& trial : run.plan.trials) out["trials"].push_back(trial_json(run, trial));
  out["arms"] = json::array();
  for (std::size_t i = 0; i < run.arms.size(); ++i) out["arms"].push_back(arm_json(run, i));
  out["phases"] = json::array();
  for (const PhaseRecord& phase : run.phases) {
    out["phases"].push_back({{"phase", phase.phase},
                             {"subject", phase.subject},
                             {"done", !phase.input_hash.empty()},
                             {"finished_at", phase.finished_at}});
  }
  return out;
}

}  // namespace

int cmd_show(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = lookup_options();
  options.add_options()("run", po::value<std::string>()->required(), "a run's id or folder")  //
      ("json", "a JSON object instead of text");
  Result<ParsedArguments> parsed =
      parse_arguments(arguments, options, po::positional_options_description().add("run", 1));
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep show - everything that is recorded of a run: command, engines,\n"
           "trials (superseded ones too), arms, phases, open jobs, cost.\n\n"
           "  promptsweep show r20260504123456\n"
           "  promptsweep show experiments/run_r20260504123456 --json | jq '.arms[].requests'\n\n"
        << options << "\nExit codes: 0 shown, 1 the run cannot be read, 2 there is no such run.\n";
    return exit_ok;
  }
  Result<RunSummary> run = chosen_run(*parsed);
  if (!run) return fail(run.error());
  Result<RunOverview> overview = read_overview(*run);
  if (!overview) return fail(overview.error());
  std::cout << (parsed->has("json") ? printed(json_of(*overview)) : text_of(*overview));
  return exit_ok;
}

}  // namespace promptsweep
