// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare.h"

#include <algorithm>
#include <set>
#include <utility>

#include "analysis/metrics.h"
#include "analysis/pairing.h"
#include "base/digest.h"
#include "stats/bootstrap.h"
#include "stats/paired_t.h"

namespace promptsweep {
namespace {

bool match(const TrialSpec& a, const TrialSpec& b) {
  return a.backend == b.backend && a.model == b.model && a.prompt_set == b.prompt_set &&
         a.top_p == b.top_p && a.top_k == b.top_k && a.max_new_tokens == b.max_new_tokens;
}

// An item of one task type as both runs have it.
struct BothSides {
  std::optional<ItemPair> a, b;
};

using Value = std::optional<double>;
using ValueOf = Value (*)(const MetricDefinition&, const ItemPair&);

Value side_value(const MetricDefinition& metric, const ItemSide& side, const ItemPair& pair) {
  return side.score == nullptr ? Value() : metric.value(*side.score, pair.item->is_unanswerable);
}
Value control_value(const MetricDefinition& metric, const ItemPair& pair) {
  return side_value(metric, pair.control, pair);
}
Value treatment_value(const MetricDefinition& metric, const ItemPair& pair) {
  return side_value(metric, pair.treatment, pair);
}
Value effect_value(const MetricDefinition& metric, const ItemPair& pair) {
  const Value control = control_value(metric, pair), treatment = treatment_value(metric, pair);
  return control && treatment ? Value(*treatment - *control) : Value();
}

// What one comparison of values needs beside the values.
struct Context {
  const AnalysisOptions& options;
  std::string key;  // names trial, temperature and task type
};

ValueComparison compare_values(const MetricDefinition& metric, const std::vector<BothSides>& items,
                               ValueOf value_of, std::string_view what, const Context& context) {
  std::vector<double> a, b, deltas;
  for (const BothSides& item : items) {
    const Value in_a = value_of(metric, *item.a), in_b = value_of(metric, *item.b);
    if (!in_a || !in_b) continue;
    a.push_back(*in_a);
    b.push_back(*in_b);
    deltas.push_back(*in_b - *in_a);
  }
  ValueComparison out;
  out.n = static_cast<std::int64_t>(deltas.size());
  if (deltas.empty()) return out;
  out.a = moments(a).mean;
  out.b = moments(b).mean;
  out.delta = moments(deltas).mean;
  const std::uint64_t seed = content_seed(FieldHash()
                                              .add(std::to_string(context.options.random_seed))
                                              .add(context.key)
                                              .add(metric.name)
                                              .add(what)
                                              .bytes());
  out.interval =
      bootstrap_mean(deltas, context.options.bootstrap_samples, seed, context.options.conf_level)
          .bca;
  return out;
}

// One run's items of one kind, by key.
struct KeyedPairs {
  ItemPairs pairs;
  const std::vector<std::uint64_t>* keys;
};

BlockComparison compare_block(TaskType type, const KeyedPairs& a, const KeyedPairs& b,
                              const Context& context) {
  BlockComparison out;
  out.type = type;
  std::map<std::uint64_t, BothSides> by_key;
  const auto enter = [&](const KeyedPairs& from, std::optional<ItemPair> BothSides::*side) {
    const ItemPairs pairs = from.pairs.of_type(type);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const ItemPair pair = pairs[i];
      by_key[from.keys->at(pair.position)].*side = pair;
    }
  };
  enter(a, &BothSides::a);
  enter(b, &BothSides::b);
  std::vector<BothSides> coinciding;
  for (const auto& [key, sides] : by_key) {
    out.only_a += !sides.b;
    out.only_b += !sides.a;
    if (sides.a && sides.b) coinciding.push_back(sides);
  }
  out.in_both = static_cast<std::int64_t>(coinciding.size());
  for (const MetricDefinition& metric : metric_definitions()) {
    if (!metric.applies_to(type)) continue;
    MetricComparison found;
    found.metric = metric.name;
    found.control = compare_values(metric, coinciding, &control_value, "control", context);
    found.treatment = compare_values(metric, coinciding, &treatment_value, "treatment", context);
    found.effect = compare_values(metric, coinciding, &effect_value, "effect", context);
    if (found.control.n + found.treatment.n > 0) out.metrics.push_back(std::move(found));
  }
  return out;
}

bool complete(const PairData& pair) {
  return (!pair.control || pair.control->complete) && (!pair.treatment || pair.treatment->complete);
}

const PairData* at_temperature(const TrialData& trial, double temperature) {
  for (const PairData& pair : trial.pairs) {
    if (pair.temperature == temperature) return &pair;
  }
  return nullptr;
}

TemperatureComparison compare_temperature(const PairData* a, const PairData* b, double temperature,
                                          const std::string& trial_key,
                                          const AnalysisOptions& options) {
  TemperatureComparison out;
  out.temperature = temperature;
  out.in_a = a != nullptr;
  out.in_b = b != nullptr;
  out.complete_a = a != nullptr && complete(*a);
  out.complete_b = b != nullptr && complete(*b);
  if (a == nullptr || b == nullptr) return out;
  const auto pairs = [](const PairData& data) {
    static const std::vector<std::uint64_t> none;
    const ArmData* any =
        data.control && data.control->items ? data.control.get() : data.treatment.get();
    return KeyedPairs{ItemPairs(data.control.get(), data.treatment.get(), Analysis::primary),
                      any != nullptr && any->items ? &any->items->keys : &none};
  };
  const KeyedPairs in_a = pairs(*a), in_b = pairs(*b);
  for (const TaskType type : {TaskType::closed_book, TaskType::open_book}) {
    const Context context{
        options,
        FieldHash().add(trial_key).add(format_number(temperature)).add(to_string(type)).bytes()};
    BlockComparison block = compare_block(type, in_a, in_b, context);
    if (block.in_both + block.only_a + block.only_b > 0) out.blocks.push_back(std::move(block));
  }
  return out;
}

// The first that any arm of the trial recorded: an engine has one identity in a run.
std::string engine_of(const TrialData& trial) {
  for (const PairData& pair : trial.pairs) {
    for (const auto& arm : {pair.control, pair.treatment}) {
      if (arm && !arm->engine_identity.empty()) return arm->engine_identity;
    }
  }
  return "";
}

using ArmOf = std::shared_ptr<const ArmData> PairData::*;

bool same_prompt(const TrialData& a, const TrialData& b, ArmOf arm) {
  for (const PairData& in_a : a.pairs) {
    const PairData* in_b = at_temperature(b, in_a.temperature);
    if (in_b == nullptr || !(in_a.*arm) || !((*in_b).*arm)) continue;
    if ((in_a.*arm)->spec.system_prompt_sha256 != ((*in_b).*arm)->spec.system_prompt_sha256)
      return false;
  }
  return true;
}

std::string key_of(const TrialSpec& trial) {
  FieldHash key;
  key.add(trial.backend).add(trial.model).add(trial.prompt_set);
  key.add(trial.top_p ? format_number(*trial.top_p) : "-");
  key.add(trial.top_k ? std::to_string(*trial.top_k) : "-");
  key.add(std::int64_t{trial.max_new_tokens.closed_book});
  key.add(std::int64_t{trial.max_new_tokens.open_book});
  return key.bytes();
}

TrialComparison compare_trials(const TrialData& a, const TrialData& b,
                               const AnalysisOptions& options) {
  TrialComparison out;
  const TrialSpec& spec = a.trial;
  out.slug_a = spec.slug;
  out.slug_b = b.trial.slug;
  out.backend = spec.backend;
  out.model = spec.model;
  out.model_alias = spec.model_alias;
  out.prompt_set = spec.prompt_set;
  out.top_p = spec.top_p;
  out.top_k = spec.top_k;
  out.max_new_tokens = spec.max_new_tokens;
  out.engine_a = engine_of(a);
  out.engine_b = engine_of(b);
  out.same_control_prompt = same_prompt(a, b, &PairData::control);
  out.same_treatment_prompt = same_prompt(a, b, &PairData::treatment);
  std::set<double> temperatures;
  for (const TrialData* side : {&a, &b}) {
    for (const PairData& pair : side->pairs) temperatures.insert(pair.temperature);
  }
  for (const double temperature : temperatures) {
    out.temperatures.push_back(compare_temperature(at_temperature(a, temperature),
                                                   at_temperature(b, temperature), temperature,
                                                   key_of(spec), options));
  }
  return out;
}

}  // namespace

std::vector<KeyDifference> differences(const std::map<std::string, std::string>& a,
                                       const std::map<std::string, std::string>& b) {
  std::map<std::string, KeyDifference> all;
  for (const auto& [key, value] : a) all[key].a = value;
  for (const auto& [key, value] : b) all[key].b = value;
  std::vector<KeyDifference> out;
  for (auto& [key, difference] : all) {
    if (difference.a == difference.b) continue;
    difference.key = key;
    out.push_back(std::move(difference));
  }
  return out;
}

RunComparison compare_runs(const std::vector<TrialData>& a, const std::vector<TrialData>& b,
                           const AnalysisOptions& options) {
  RunComparison out;
  out.conf_level = options.conf_level;
  std::set<const TrialData*> matched;
  for (const TrialData& in_a : a) {
    if (in_a.trial.superseded) continue;
    const auto found = std::find_if(b.begin(), b.end(), [&](const TrialData& in_b) {
      return !in_b.trial.superseded && !matched.contains(&in_b) && match(in_a.trial, in_b.trial);
    });
    if (found == b.end()) {
      out.only_a.push_back(in_a.trial.slug);
      continue;
    }
    matched.insert(&*found);
    out.trials.push_back(compare_trials(in_a, *found, options));
  }
  for (const TrialData& in_b : b) {
    if (!in_b.trial.superseded && !matched.contains(&in_b)) out.only_b.push_back(in_b.trial.slug);
  }
  return out;
}

}  // namespace promptsweep
