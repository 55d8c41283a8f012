// SPDX-License-Identifier: Apache-2.0
// What a run found, as data: every number that a report prints and every caveat it must state.
// Orientation everywhere: delta = treatment - control; in a paired table b counts the items where
// only the treatment has the property (for accuracy: a win), c those where only the control has.
// An absent value is not measured or not defined; `status` fields say why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/options.h"
#include "cost/pricing.h"
#include "records/decoding.h"
#include "records/item.h"
#include "records/outcome.h"
#include "stats/interval.h"

namespace promptsweep {

struct McNemarFinding {
  std::int64_t both = 0, b = 0, c = 0, neither = 0;
  double p_exact = 1;
  double p_midp = 1;
  std::optional<double> odds_ratio;  // b / c; absent: no discordant pair, or infinite
  // Clopper-Pearson; an absent end is unbounded.
  std::optional<double> or_low, or_high;
  std::string status;  // ok, infinite, no_discordant_pairs
};

// A claim of "no difference that matters": both one-sided t tests against a margin.
struct EquivalenceFinding {
  double margin = 0;
  double alpha = 0.05;
  std::optional<double> p_equivalence;      // TOST: the larger of the two
  std::optional<double> p_non_inferiority;  // H0: delta <= -margin
  std::optional<Interval> ci;               // level 1 - 2 alpha
  bool equivalent = false;
  bool non_inferior = false;
};

enum class Verdict {
  not_measured,
  no_detectable_change,
  higher,  // treatment above control
  lower,
};

struct MetricFinding {
  std::string metric;  // em, em_answerable, f1, abstain_rate, false_answer_rate, unsupported_rate
  std::int64_t n_pairs = 0;  // items where both arms have the metric
  std::optional<double> mean_control, mean_treatment, delta;  // over those pairs
  std::optional<Interval> ci;                                 // BCa bootstrap of the mean delta
  std::optional<Interval> ci_percentile;  // percentile bootstrap, the same resamples
  // Wilcoxon signed-rank, zeros dropped.
  std::optional<double> wilcoxon_w, wilcoxon_p;
  std::int64_t wilcoxon_n_used = 0;
  bool wilcoxon_exact = false;  // else the normal approximation
  std::optional<double> hodges_lehmann, rank_biserial;
  std::optional<double> cohens_d;  // d_z: mean / sd of the deltas; absent when sd is 0
  std::optional<double> cliffs_delta, paired_dominance;
  std::optional<double> cohens_h;  // of the two means; absent for f1
  std::optional<double> perm_p;    // sign-flip of the mean
  bool perm_exact = false;         // else Monte-Carlo, (1 + count) / (B + 1)
  // Binary metrics only: the paired table of per-item values >= 0.5.
  std::optional<McNemarFinding> mcnemar;
  std::optional<EquivalenceFinding> equivalence;

  // The one p-value that stands for the metric: exact McNemar for a binary metric at one sample an
  // item, else Wilcoxon.
  std::optional<double> p;
  std::string p_test;          // mcnemar_exact, wilcoxon_exact, wilcoxon_normal; empty: none
  bool in_family = false;      // corrected over the sweep
  std::optional<double> q_bh;  // of the run's family; absent: not corrected
  std::optional<double> q_holm;
  Verdict verdict = Verdict::not_measured;  // by q_bh; by p where q is absent
};

// Which items have a scored answer in both arms, and why the others have none.
struct AttritionFinding {
  std::int64_t n_items = 0;  // expected in either arm
  std::int64_t n_pairs = 0;  // scored in both
  std::int64_t only_control_missing = 0, only_treatment_missing = 0, both_missing = 0;
  // Requests by outcome; items without a scored answer by the outcome of their first sample.
  std::vector<std::pair<Outcome, std::int64_t>> control_requests, treatment_requests;
  std::vector<std::pair<Outcome, std::int64_t>> control_missing, treatment_missing;
  std::int64_t control_partial = 0, treatment_partial = 0;  // items with only some samples scored
  double p = 1;             // exact McNemar: does missingness differ between the arms?
  double pairing_rate = 0;  // n_pairs / n_items; 0 without items
};

// All items of a task type at one temperature, or those of one data set.
struct BlockFindings {
  TaskType type = TaskType::closed_book;
  std::string dataset;  // empty: all
  std::int64_t n_items = 0, n_pairs = 0, n_unanswerable = 0;
  AttritionFinding attrition;
  std::vector<MetricFinding> metrics;
  // The same items with behaviour outcomes treated the other way.
  std::vector<MetricFinding> metrics_other;
  bool behaviour_matters = false;        // any truncated, empty or filtered answer in either arm
  std::vector<BlockFindings> subgroups;  // by data set; of a whole block only

  const MetricFinding* find(std::string_view metric) const;
};

struct Caveat {
  std::string code;  // stable, for programs: incomplete, unequal_attrition, ...
  std::string text;  // one sentence for a person
};

struct TemperatureFindings {
  double temperature = 0;
  std::string control_arm_id, treatment_arm_id;      // empty: not part of the plan
  std::string control_identity, treatment_identity;  // engine identity JSON
  int samples_per_item = 1;
  bool complete = false;
  std::vector<BlockFindings> blocks;  // closed, open; those with items
};

struct PromptFinding {
  std::string path, sha256;
  std::int64_t token_estimate = 0;  // characters / 4: labelled an estimate wherever shown
  // Mean prompt tokens an answer as the engine counted them, question included.
  std::optional<double> measured_tokens_per_request;
};

struct TrialFindings {
  std::string run_id, slug, user_id, engine_id, backend, model, model_alias, prompt_set;
  std::string isolation, options_json, order, items_sha256;
  std::optional<double> top_p;
  std::optional<int> top_k;
  TokenLimits max_new_tokens;
  std::vector<std::string> stop;
  std::uint64_t seed = 0;
  std::int64_t seed_honoured = 0, seed_not_honoured = 0;
  std::optional<PromptFinding> control_prompt, treatment_prompt;
  std::vector<std::pair<std::string, std::int64_t>> items_by_dataset;
  AnalysisOptions options;
  bool superseded = false;
  bool complete = false;
  std::vector<TemperatureFindings> temperatures;
  std::vector<Caveat> caveats;
  std::optional<TrialCost> cost;
  std::optional<double> minutes, items_per_minute;  // given by the caller, if measured
  std::string family_hash;  // of the family that q-values come from; empty: not corrected
  std::int64_t family_size = 0;
};

// One test of the family that is corrected over the sweep.
struct FamilyMember {
  std::string slug, metric;
  double temperature = 0;
  TaskType type = TaskType::closed_book;
  std::string p_test;
  std::optional<double> p, q_bh, q_holm;  // absent p: not counted
  std::string key() const;                // slug|temperature|type|metric
};

struct RunFindings {
  std::string run_id;
  AnalysisOptions options;
  std::vector<TrialFindings> trials;      // with q-values, in plan order
  std::vector<TrialFindings> superseded;  // outside the family, every table and completion
  std::vector<FamilyMember> family;
  std::int64_t family_size = 0;  // members with a p-value
  std::string family_hash;       // SHA-256 of the members' keys and p-values
  std::int64_t incomplete_trials = 0;
  std::optional<RunCost> cost;
};

}  // namespace promptsweep
