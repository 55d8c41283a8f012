// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_view.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/throughput.h"

namespace promptsweep {
namespace {

using nlohmann::json;

struct TrialSize {
  std::int64_t requests = 0;       // of its arms, shared ones included
  std::int64_t prompt_tokens = 0;  // estimate
  std::int64_t max_completion_tokens = 0;
};

TrialSize size_of(const SweepSetup& setup, const TrialSpec& trial) {
  TrialSize out;
  for (const ArmPair& pair : trial.pairs) {
    for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
      for (const ArmEstimate& estimate : setup.planned.estimates) {
        if (estimate.arm_id != id) continue;
        out.requests += estimate.requests;
        out.prompt_tokens += estimate.prompt_tokens;
        out.max_completion_tokens += estimate.max_completion_tokens;
      }
    }
  }
  return out;
}

std::string temps_text(const TrialSpec& trial) {
  std::string out;
  for (const ArmPair& pair : trial.pairs)
    out += (out.empty() ? "" : ",") + format_number(pair.temperature);
  return out;
}

std::optional<double> minutes_of(const SweepSetup& setup, const TrialSpec& trial,
                                 const TrialSize& size) {
  const std::optional<double> rate =
      known_rate(setup.config.paths.experiments_dir, trial.backend, trial.model);
  if (!rate || !setup.selection) return std::nullopt;
  return static_cast<double>(size.requests) / *rate / 60;
}

void add_table(std::ostream& out, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out << "  " << line << '\n';
  }
}

const TrialState* find_state(const std::vector<TrialState>& states, const std::string& slug) {
  for (const TrialState& state : states) {
    if (state.slug == slug) return &state;
  }
  return nullptr;
}

std::string state_text(const TrialState& state) {
  if (state.state != "partly done") return state.state;
  return state.state + " (" + std::to_string(state.accepted) + " of " +
         std::to_string(state.expected) + ")";
}

// A column more, and a row for each trial that the run has and the plan has not.
void add_states(std::vector<std::vector<std::string>>& rows,
                const std::vector<TrialState>& states) {
  const std::size_t width = rows.front().size();
  rows.front().push_back("STATE");
  std::set<std::string> shown;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const TrialState* state = find_state(states, rows[i].front());
    rows[i].push_back(state == nullptr ? "new" : state_text(*state));
    shown.insert(rows[i].front());
  }
  for (const TrialState& state : states) {
    if (shown.contains(state.slug)) continue;
    std::vector<std::string> row{state.slug};
    row.resize(width);
    row.push_back(state_text(state));
    rows.push_back(std::move(row));
  }
}

std::string count_or_pending(bool known, std::int64_t value) {
  return known ? std::to_string(value) : "pending";
}

}  // namespace

std::string plan_text(const SweepSetup& setup, const KnownStates& states) {
  const RunPlan& plan = setup.planned.plan;
  const bool data = setup.selection.has_value();
  std::ostringstream out;
  out << plan.trials.size() << " trials, " << plan.arms.size() << " arms, "
      << count_or_pending(data, setup.planned.requests) << " requests, order " << plan.order
      << '\n';
  if (setup.planned.shared_controls > 0) {
    out << setup.planned.shared_controls << " shared controls";
    if (data) out << " save " << setup.planned.requests_saved_by_sharing << " requests";
    out << '\n';
  }
  if (data) {
    out << "items:";
    for (const SelectionFacts::Count& count : setup.selection->counts) {
      out << ' ' << count.dataset << ' ' << count.selected << " of " << count.available;
    }
    out << "\n";
  }
  out << '\n';
  std::vector<std::vector<std::string>> rows{
      {"TRIAL", "MODEL", "PROMPT SET", "TEMPS", "REQUESTS", "PROMPT TOKENS (est.)", "TIME"}};
  for (const TrialSpec& trial : plan.trials) {
    const TrialSize size = size_of(setup, trial);
    const std::optional<double> minutes = minutes_of(setup, trial, size);
    rows.push_back({trial.slug, trial.model_alias, trial.prompt_set, temps_text(trial),
                    count_or_pending(data, size.requests),
                    count_or_pending(data, size.prompt_tokens),
                    minutes ? format_duration(*minutes * 60) : "unknown"});
  }
  if (states) add_states(rows, *states);
  add_table(out, rows);
  for (const std::string& sentence : setup.missing) out << "\nnot runnable here: " << sentence;
  for (const std::string& sentence : setup.config.run_refusals)
    out << "\nrun would refuse: " << sentence;
  if (!setup.missing.empty() || !setup.config.run_refusals.empty()) out << '\n';
  return std::move(out).str();
}

std::string plan_json(const SweepSetup& setup, const KnownStates& states) {
  const RunPlan& plan = setup.planned.plan;
  const bool data = setup.selection.has_value();
  const auto known = [&](std::int64_t value) { return data ? json(value) : json(); };
  json trials = json::array();
  for (const TrialSpec& trial : plan.trials) {
    const TrialSize size = size_of(setup, trial);
    const std::optional<double> minutes = minutes_of(setup, trial, size);
    json arms = json::array();
    json temps = json::array();
    for (const ArmPair& pair : trial.pairs) {
      temps.push_back(pair.temperature);
      arms.push_back(
          {{"temperature", pair.temperature},
           {"control", pair.control_arm_id.empty() ? json() : json(pair.control_arm_id)},
           {"treatment", pair.treatment_arm_id.empty() ? json() : json(pair.treatment_arm_id)}});
    }
    trials.push_back({{"slug", trial.slug},
                      {"id", trial.user_id.empty() ? json() : json(trial.user_id)},
                      {"backend", trial.backend},
                      {"model_id", trial.model},
                      {"model_alias", trial.model_alias},
                      {"prompt_set", trial.prompt_set},
                      {"temps", temps},
                      {"top_p", trial.top_p ? json(*trial.top_p) : json()},
                      {"top_k", trial.top_k ? json(*trial.top_k) : json()},
                      {"arms", arms},
                      {"requests", known(size.requests)},
                      {"prompt_tokens_estimate", known(size.prompt_tokens)},
                      {"max_completion_tokens", known(size.max_completion_tokens)},
                      {"minutes", minutes ? json(*minutes) : json()}});
  }
  json arms = json::array();
  for (std::size_t i = 0; i < plan.arms.size(); ++i) {
    const ArmSpec& arm = plan.arms[i];
    arms.push_back({{"arm_id", arm.arm_id},
                    {"condition", to_string(arm.condition)},
                    {"prompt_set", arm.prompt_set},
                    {"temperature", arm.decoding.temperature},
                    {"store", setup.planned.ids_known ? json(arm.store_path) : json()},
                    {"requests", known(arm.request_count)}});
  }
  json known_states;  // null: no run was named, or it does not exist
  if (states) {
    known_states = json::array();
    for (const TrialState& state : *states) {
      known_states.push_back({{"slug", state.slug},
                              {"state", state.state},
                              {"requests", state.expected},
                              {"answered", state.accepted}});
    }
  }
  return json{{"states", known_states},
              {"run_id", plan.run_id.empty() ? json() : json(plan.run_id)},
              {"config_sha256", plan.config_sha256},
              {"items_sha256", data ? json(plan.items_sha256) : json()},
              {"order", plan.order},
              {"trials", trials},
              {"arms", arms},
              {"requests", known(setup.planned.requests)},
              {"shared_controls", setup.planned.shared_controls},
              {"requests_saved_by_sharing", known(setup.planned.requests_saved_by_sharing)},
              {"not_runnable_because", setup.missing},
              {"run_would_refuse_because", setup.config.run_refusals}}
             .dump(2) +
         "\n";
}

int show_plan(const SweepSetup& setup, const std::string& run_id, bool as_json) {
  KnownStates states;
  const std::filesystem::path folder = setup.config.paths.experiments_dir / run_folder_name(run_id);
  std::error_code ignored;
  if (!run_id.empty() && std::filesystem::exists(folder / "run.sqlite", ignored)) {
    Result<std::unique_ptr<RunStore>> run = RunStore::open_read_only(folder);
    if (!run) return fail(run.error());
    Result<std::vector<TrialState>> known = trial_states(**run, setup.planned.plan);
    if (!known) return fail(known.error());
    states = *std::move(known);
  }
  std::cout << (as_json ? plan_json(setup, states) : plan_text(setup, states));
  return exit_ok;
}

}  // namespace promptsweep
