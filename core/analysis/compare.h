// SPDX-License-Identifier: Apache-2.0
// Two runs side by side. Orientation everywhere: delta = B - A. Pure: records in, data out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/options.h"
#include "analysis/trial_data.h"
#include "records/decoding.h"
#include "records/item.h"
#include "stats/interval.h"

namespace promptsweep {

struct KeyDifference {
  std::string key;
  std::optional<std::string> a, b;  // absent: the key is not there
};
// The keys whose values differ or that only one side has, in byte order.
std::vector<KeyDifference> differences(const std::map<std::string, std::string>& a,
                                       const std::map<std::string, std::string>& b);

// One measure in both runs over the items that have it in both.
struct ValueComparison {
  std::int64_t n = 0;                // 0: nothing coincides, and the rest is absent
  std::optional<double> a, b;        // means over those items
  std::optional<double> delta;       // mean of the items' differences
  std::optional<Interval> interval;  // BCa bootstrap over items, paired by item
};

struct MetricComparison {
  std::string metric;                  // analysis/metrics.h
  ValueComparison control, treatment;  // the arms' own values
  ValueComparison effect;  // treatment - control; over items with the metric in all four arms
};

struct BlockComparison {
  TaskType type = TaskType::closed_book;
  std::int64_t in_both = 0, only_a = 0, only_b = 0;  // items asked, by item key
  std::vector<MetricComparison> metrics;             // those that anything was measured of
};

struct TemperatureComparison {
  double temperature = 0;
  bool in_a = false, in_b = false;              // which plans hold it; blocks need both
  bool complete_a = false, complete_b = false;  // every request of its arms is answered
  std::vector<BlockComparison> blocks;          // closed, open; those with items
};

struct TrialComparison {
  std::string slug_a, slug_b;
  std::string backend, model, model_alias, prompt_set;
  std::optional<double> top_p;
  std::optional<int> top_k;
  TokenLimits max_new_tokens;
  std::string engine_a, engine_b;     // identity JSON; empty: nothing ran yet
  std::vector<KeyDifference> engine;  // filled in by who can read the identities
  bool same_control_prompt = true, same_treatment_prompt = true;  // by SHA-256
  std::vector<TemperatureComparison> temperatures;                // ascending
};

struct RunComparison {
  std::string run_a, run_b;
  std::string state_a, state_b;                            // given by the caller
  std::vector<KeyDifference> configuration, command_line;  // given by the caller
  std::vector<TrialComparison> trials;                     // that match, in A's order
  std::vector<std::string> only_a, only_b;                 // slugs without a match
  double conf_level = 0.95;
};

// Trials match when backend, model, prompt set and decoding (top_p, top_k, token limits) are equal;
// temperatures match within a trial. Superseded trials are left out. Intervals depend on the
// trial's settings and on options.random_seed alone.
RunComparison compare_runs(const std::vector<TrialData>& a, const std::vector<TrialData>& b,
                           const AnalysisOptions& options);

}  // namespace promptsweep
