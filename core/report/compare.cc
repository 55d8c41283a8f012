// SPDX-License-Identifier: Apache-2.0
#include "report/compare.h"

#include <nlohmann/json.hpp>

#include "report/format.h"

namespace promptsweep {
namespace {

using nlohmann::json;

// --- text

std::string value_text(const std::optional<std::string>& value) {
  return value ? *value : std::string(dash);
}

std::string differences_text(const std::vector<KeyDifference>& differences) {
  std::vector<std::vector<std::string>> rows{{"  key", "A", "B"}};
  for (const KeyDifference& difference : differences)
    rows.push_back({"  " + difference.key, value_text(difference.a), value_text(difference.b)});
  return text_table(rows, 3);
}

std::string section(const std::string& title, const std::vector<KeyDifference>& differences) {
  if (differences.empty()) return title + ": no difference\n\n";
  return title + ": " + std::to_string(differences.size()) +
         (differences.size() == 1 ? " difference\n" : " differences\n") +
         differences_text(differences) + "\n";
}

// Commands are too long to stand side by side.
std::string commands_text(const std::vector<KeyDifference>& differences) {
  if (differences.empty()) return "command line: no difference\n\n";
  std::string out = "command line\n";
  for (const KeyDifference& difference : differences)
    out += "  A  " + value_text(difference.a) + "\n  B  " + value_text(difference.b) + "\n";
  return out + "\n";
}

void add_row(std::vector<std::vector<std::string>>& rows, TaskType type, const std::string& metric,
             const std::string& what, const ValueComparison& value, bool is_difference) {
  if (value.n == 0) return;
  const auto one = [&](const std::optional<double>& mean) {
    return is_difference ? points(mean) : percent(mean);
  };
  rows.push_back({"  " + task_name(type), metric, what, std::to_string(value.n), one(value.a),
                  one(value.b), points(value.delta), points(value.interval)});
}

std::string items_text(const BlockComparison& block) {
  return "  items, " + task_name(block.type) + ": " + std::to_string(block.in_both) + " in both, " +
         std::to_string(block.only_a) + " only in A, " + std::to_string(block.only_b) +
         " only in B\n";
}

std::string temperature_text(const TemperatureComparison& at, double conf_level) {
  std::string out = "  temperature " + format_number(at.temperature);
  if (!at.in_a || !at.in_b) return out + ": only in " + (at.in_a ? "A" : "B") + "\n";
  if (!at.complete_a || !at.complete_b) {
    out += std::string(" (incomplete in ") +
           (at.complete_a   ? "B"
            : at.complete_b ? "A"
                            : "A and B") +
           ")";
  }
  out += "\n";
  std::vector<std::vector<std::string>> rows{
      {"  task", "metric", "of", "n", "A", "B", "B - A", level(conf_level) + " CI"}};
  for (const BlockComparison& block : at.blocks) {
    out += items_text(block);
    for (const MetricComparison& metric : block.metrics) {
      const std::string title = metric_title(metric.metric);
      add_row(rows, block.type, title, "control", metric.control, false);
      add_row(rows, block.type, title, "treatment", metric.treatment, false);
      add_row(rows, block.type, title, "effect", metric.effect, true);
    }
  }
  if (rows.size() == 1) return out + "  nothing that both runs have scored\n";
  return out + text_table(rows, 3);
}

std::string engine_text(const TrialComparison& trial) {
  if (trial.engine_a.empty() || trial.engine_b.empty()) {
    return std::string("  engine: nothing ran yet in ") + (trial.engine_a.empty() ? "A" : "B") +
           "\n";
  }
  if (trial.engine.empty()) return "  engine: the same identity\n";
  return "  engine: another identity\n" + differences_text(trial.engine);
}

std::string trial_text(const TrialComparison& trial, double conf_level) {
  const std::string& model = trial.model_alias.empty() ? trial.model : trial.model_alias;
  std::string out = model + ", " + trial.prompt_set;
  if (trial.top_p) out += ", top_p " + format_number(*trial.top_p);
  if (trial.top_k) out += ", top_k " + std::to_string(*trial.top_k);
  out += trial.slug_a == trial.slug_b ? " (" + trial.slug_a + ")\n"
                                      : " (" + trial.slug_a + " / " + trial.slug_b + ")\n";
  out += engine_text(trial);
  if (!trial.same_control_prompt) out += "  the control prompt is another text\n";
  if (!trial.same_treatment_prompt) out += "  the treatment prompt is another text\n";
  for (const TemperatureComparison& at : trial.temperatures)
    out += temperature_text(at, conf_level);
  return out + "\n";
}

std::string unmatched_text(const char* side, const std::vector<std::string>& slugs) {
  std::string out;
  for (const std::string& slug : slugs) out += std::string("only in ") + side + ": " + slug + "\n";
  return out;
}

// --- JSON

json number(const std::optional<double>& value) { return value ? json(*value) : json(); }

json text_or_null(const std::optional<std::string>& value) { return value ? json(*value) : json(); }

json differences_json(const std::vector<KeyDifference>& differences) {
  json out = json::array();
  for (const KeyDifference& difference : differences) {
    out.push_back({{"key", difference.key},
                   {"a", text_or_null(difference.a)},
                   {"b", text_or_null(difference.b)}});
  }
  return out;
}

json value_json(const ValueComparison& value) {
  return {{"n_items", value.n},
          {"a", number(value.a)},
          {"b", number(value.b)},
          {"delta", number(value.delta)},
          {"ci", value.interval ? json{value.interval->low, value.interval->high} : json()}};
}

json temperature_json(const TemperatureComparison& at) {
  json blocks = json::object();
  for (const BlockComparison& block : at.blocks) {
    json metrics = json::object();
    for (const MetricComparison& metric : block.metrics) {
      metrics[metric.metric] = {{"control", value_json(metric.control)},
                                {"treatment", value_json(metric.treatment)},
                                {"effect", value_json(metric.effect)}};
    }
    blocks[std::string(to_string(block.type))] = {
        {"items", {{"in_both", block.in_both}, {"only_a", block.only_a}, {"only_b", block.only_b}}},
        {"metrics", metrics}};
  }
  return {{"temperature", at.temperature},
          {"in_a", at.in_a},
          {"in_b", at.in_b},
          {"complete_a", at.complete_a},
          {"complete_b", at.complete_b},
          {"results", blocks}};
}

json identity_json(const std::string& text) {
  json out = json::parse(text, nullptr, false);
  return out.is_discarded() ? json() : out;
}

json trial_json(const TrialComparison& trial) {
  json temperatures = json::array();
  for (const TemperatureComparison& at : trial.temperatures)
    temperatures.push_back(temperature_json(at));
  return {{"slug_a", trial.slug_a},
          {"slug_b", trial.slug_b},
          {"backend", trial.backend},
          {"model_id", trial.model},
          {"prompt_set", trial.prompt_set},
          {"top_p", number(trial.top_p)},
          {"top_k", trial.top_k ? json(*trial.top_k) : json()},
          {"max_new_tokens",
           {{"closed_book", trial.max_new_tokens.closed_book},
            {"open_book", trial.max_new_tokens.open_book}}},
          {"engine_a", identity_json(trial.engine_a)},
          {"engine_b", identity_json(trial.engine_b)},
          {"engine_differences", differences_json(trial.engine)},
          {"same_control_prompt", trial.same_control_prompt},
          {"same_treatment_prompt", trial.same_treatment_prompt},
          {"temperatures", temperatures}};
}

}  // namespace

std::string compare_text(const RunComparison& comparison) {
  std::string out = "A: run " + comparison.run_a + " (" + comparison.state_a + ")\nB: run " +
                    comparison.run_b + " (" + comparison.state_b + ")\n\n";
  out += section("configuration", comparison.configuration);
  out += commands_text(comparison.command_line);
  for (const TrialComparison& trial : comparison.trials)
    out += trial_text(trial, comparison.conf_level);
  out += "trials: " + std::to_string(comparison.trials.size()) + " in both, " +
         std::to_string(comparison.only_a.size()) + " only in A, " +
         std::to_string(comparison.only_b.size()) + " only in B\n";
  return out + unmatched_text("A", comparison.only_a) + unmatched_text("B", comparison.only_b);
}

std::string compare_json(const RunComparison& comparison) {
  json trials = json::array();
  for (const TrialComparison& trial : comparison.trials) trials.push_back(trial_json(trial));
  const json out{{"schema_version", 1},
                 {"a", {{"run_id", comparison.run_a}, {"state", comparison.state_a}}},
                 {"b", {{"run_id", comparison.run_b}, {"state", comparison.state_b}}},
                 {"conf_level", comparison.conf_level},
                 {"configuration", differences_json(comparison.configuration)},
                 {"command_line", differences_json(comparison.command_line)},
                 {"trials", trials},
                 {"only_a", comparison.only_a},
                 {"only_b", comparison.only_b}};
  return out.dump(2) + "\n";
}

}  // namespace promptsweep
