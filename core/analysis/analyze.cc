// SPDX-License-Identifier: Apache-2.0
#include "analysis/analyze.h"

#include <algorithm>
#include <map>

#include "analysis/caveats.h"
#include "analysis/metric_findings.h"
#include "analysis/pairing.h"
#include "base/digest.h"

namespace promptsweep {
namespace {

std::vector<MetricFinding> metrics_of(TaskType type, const ItemPairs& pairs,
                                      const MetricContext& context) {
  std::vector<MetricFinding> out;
  for (const MetricDefinition& metric : metric_definitions()) {
    if (metric.applies_to(type)) out.push_back(metric_finding(metric, pairs, context));
  }
  return out;
}

bool has_behaviour(const AttritionFinding& attrition) {
  const auto any = [](const std::vector<std::pair<Outcome, std::int64_t>>& counts) {
    return std::any_of(counts.begin(), counts.end(),
                       [](const auto& entry) { return is_behaviour(entry.first); });
  };
  return any(attrition.control_requests) || any(attrition.treatment_requests);
}

// What identifies a block, as the head of its seeds. Not the backend and not the model: the same
// answers have the same intervals whoever gave them.
struct BlockKey {
  std::string treatment, temperature;
  TaskType type;

  std::string of(const std::string& dataset, Analysis analysis) const {
    return FieldHash()
        .add(treatment)
        .add(temperature)
        .add(to_string(type))
        .add(dataset)
        .add(analysis == Analysis::primary ? "primary" : "other")
        .bytes();
  }
};

BlockFindings block(const ItemPairs& pairs, const std::string& dataset, const BlockKey& key,
                    const AnalysisOptions& options, int samples_per_item) {
  BlockFindings out;
  out.type = key.type;
  out.dataset = dataset;
  out.attrition = attrition(pairs);
  out.n_items = out.attrition.n_items;
  out.n_pairs = out.attrition.n_pairs;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    out.n_unanswerable += pairs[i].item->is_unanswerable;
  }
  out.behaviour_matters = has_behaviour(out.attrition);
  const MetricContext context{options, samples_per_item, key.of(dataset, Analysis::primary)};
  out.metrics = metrics_of(key.type, pairs, context);
  return out;
}

// A task type as a whole, with the other treatment of behaviour outcomes and its data sets.
BlockFindings whole_block(const ItemPairs& primary, const BlockKey& key,
                          const AnalysisOptions& options, int samples_per_item) {
  BlockFindings out = block(primary, "", key, options, samples_per_item);
  if (out.behaviour_matters) {
    const MetricContext context{options, samples_per_item, key.of("", Analysis::other)};
    out.metrics_other = metrics_of(key.type, primary.as(Analysis::other), context);
  }
  std::map<std::string, std::uint16_t> datasets;  // by name, as subgroups are listed
  for (std::size_t i = 0; i < primary.size(); ++i) {
    const std::uint16_t dataset = primary[i].item->dataset;
    datasets.emplace(primary.datasets()[dataset], dataset);
  }
  for (const auto& [name, dataset] : datasets) {
    out.subgroups.push_back(
        block(primary.of_dataset(dataset), name, key, options, samples_per_item));
  }
  return out;
}

int samples_per_item(const PairData& pair) {
  int out = 1;
  for (const auto& arm : {pair.control, pair.treatment}) {
    if (arm) out = std::max(out, arm->spec.decoding.samples_per_item);
  }
  return out;
}

std::string treatment_key(const TrialSpec& trial) {
  return FieldHash()
      .add(trial.prompt_set)
      .add(trial.top_p ? format_number(*trial.top_p) : "-")
      .add(trial.top_k ? std::to_string(*trial.top_k) : "-")
      .add(std::int64_t{trial.max_new_tokens.closed_book})
      .add(std::int64_t{trial.max_new_tokens.open_book})
      .bytes();
}

TemperatureFindings temperature_findings(const PairData& pair, const std::string& treatment,
                                         const AnalysisOptions& options) {
  TemperatureFindings out;
  out.temperature = pair.temperature;
  out.samples_per_item = samples_per_item(pair);
  out.complete = true;
  if (pair.control) {
    out.control_arm_id = pair.control->spec.arm_id;
    out.control_identity = pair.control->engine_identity;
    out.complete = out.complete && pair.control->complete;
  }
  if (pair.treatment) {
    out.treatment_arm_id = pair.treatment->spec.arm_id;
    out.treatment_identity = pair.treatment->engine_identity;
    out.complete = out.complete && pair.treatment->complete;
  }
  const ItemPairs all(pair.control.get(), pair.treatment.get(), Analysis::primary);
  for (const TaskType type : {TaskType::closed_book, TaskType::open_book}) {
    const ItemPairs own = all.of_type(type);
    if (own.empty()) continue;
    const BlockKey key{treatment, format_number(pair.temperature), type};
    out.blocks.push_back(whole_block(own, key, options, out.samples_per_item));
  }
  return out;
}

// Characters / 4, at least 1: the same estimate that plans show.
std::int64_t estimate_tokens(const std::string& text) {
  const auto characters =
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return std::max<std::int64_t>(1, characters / 4);
}

PromptFinding prompt_finding(const ArmData& arm) {
  PromptFinding out;
  out.path = arm.spec.system_prompt_path;
  out.sha256 = arm.spec.system_prompt_sha256;
  out.token_estimate = estimate_tokens(arm.spec.system_prompt);
  const std::int64_t counted = arm.usage.rows - arm.usage.rows_without_counts;
  if (counted > 0) {
    out.measured_tokens_per_request =
        static_cast<double>(arm.usage.prompt_tokens) / static_cast<double>(counted);
  }
  return out;
}

void describe_arms(TrialFindings& out, const TrialData& data) {
  const ArmData* first = nullptr;
  for (const PairData& pair : data.pairs) {
    if (pair.control && !out.control_prompt) out.control_prompt = prompt_finding(*pair.control);
    if (pair.treatment && !out.treatment_prompt) {
      out.treatment_prompt = prompt_finding(*pair.treatment);
    }
    for (const auto& arm : {pair.control, pair.treatment}) {
      if (!arm) continue;
      if (first == nullptr) first = arm.get();
      out.seed_honoured += arm->seed_honoured;
      out.seed_not_honoured += arm->seed_not_honoured;
    }
  }
  if (first == nullptr) return;
  out.stop = first->spec.decoding.stop;
  out.seed = first->spec.decoding.seed;
  std::vector<std::pair<std::string, std::int64_t>>& counts = out.items_by_dataset;
  if (!first->items) return;
  std::vector<std::int64_t> asked(first->items->datasets.size());
  for (std::size_t i = 0; i < first->cells.size(); ++i) {
    if (first->cells[i].expected > 0) ++asked[first->items->items[i].dataset];
  }
  for (std::size_t dataset = 0; dataset < asked.size(); ++dataset) {
    if (asked[dataset] > 0) counts.emplace_back(first->items->datasets[dataset], asked[dataset]);
  }
}

}  // namespace

TrialFindings analyze_trial(const TrialData& data, const AnalysisOptions& options) {
  TrialFindings out;
  out.run_id = data.run_id;
  out.slug = data.trial.slug;
  const std::string treatment = treatment_key(data.trial);
  out.user_id = data.trial.user_id;
  out.engine_id = data.trial.engine_id;
  out.backend = data.trial.backend;
  out.model = data.trial.model;
  out.model_alias = data.trial.model_alias;
  out.prompt_set = data.trial.prompt_set;
  out.isolation = data.isolation;
  out.options_json = data.options_json;
  out.order = data.order;
  out.items_sha256 = data.items_sha256;
  out.top_p = data.trial.top_p;
  out.top_k = data.trial.top_k;
  out.max_new_tokens = data.trial.max_new_tokens;
  out.options = options;
  out.superseded = data.trial.superseded;
  describe_arms(out, data);
  for (const PairData& pair : data.pairs) {
    out.temperatures.push_back(temperature_findings(pair, treatment, options));
  }
  out.complete = std::all_of(out.temperatures.begin(), out.temperatures.end(),
                             [](const TemperatureFindings& t) { return t.complete; });
  out.caveats = caveats_of(out);
  return out;
}

}  // namespace promptsweep
