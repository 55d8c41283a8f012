// SPDX-License-Identifier: Apache-2.0
#include "analysis/metric_findings.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/digest.h"
#include "stats/bootstrap.h"
#include "stats/effect_sizes.h"
#include "stats/mcnemar.h"
#include "stats/paired_t.h"
#include "stats/permutation.h"
#include "stats/wilcoxon.h"

namespace promptsweep {
namespace {

struct Values {
  std::vector<double> control, treatment, deltas;
};

Values paired_values(const MetricDefinition& metric, const ItemPairs& pairs) {
  Values out;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const ItemPair pair = pairs[i];
    if (!pair.paired()) continue;
    const bool unanswerable = pair.item->is_unanswerable;
    const std::optional<double> control = metric.value(*pair.control.score, unanswerable);
    const std::optional<double> treatment = metric.value(*pair.treatment.score, unanswerable);
    if (!control || !treatment) continue;
    out.control.push_back(*control);
    out.treatment.push_back(*treatment);
    out.deltas.push_back(*treatment - *control);
  }
  return out;
}

// The mean of an arm that has no other arm to be paired with.
std::optional<double> lone_mean(const MetricDefinition& metric, const ItemPairs& pairs,
                                ItemSide ItemPair::*side) {
  std::vector<double> values;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const ItemPair pair = pairs[i];
    const ItemSums* score = (pair.*side).score;
    if (score == nullptr) continue;
    if (const auto value = metric.value(*score, pair.item->is_unanswerable))
      values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return moments(values).mean;
}

std::uint64_t seed_for(const MetricContext& context, std::string_view metric,
                       std::string_view purpose) {
  return content_seed(FieldHash()
                          .add(std::to_string(context.options.random_seed))
                          .add(context.block_key)
                          .add(metric)
                          .add(purpose)
                          .bytes());
}

std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

McNemarFinding mcnemar_finding(const Values& values, double conf_level) {
  const PairedTable table = paired_table(values.control, values.treatment);
  const McNemar test = mcnemar(table.b, table.c, conf_level);
  McNemarFinding out;
  out.both = table.a;
  out.b = table.b;
  out.c = table.c;
  out.neither = table.d;
  out.p_exact = test.p_exact;
  out.p_midp = test.p_midp;
  if (test.odds_ratio) out.odds_ratio = finite(*test.odds_ratio);
  out.or_low = finite(test.odds_ratio_ci.low);
  out.or_high = finite(test.odds_ratio_ci.high);
  out.status = !test.odds_ratio ? "no_discordant_pairs" : !out.odds_ratio ? "infinite" : "ok";
  return out;
}

EquivalenceFinding equivalence(const std::vector<double>& deltas, double margin, double alpha) {
  EquivalenceFinding out;
  out.margin = margin;
  out.alpha = alpha;
  const Tost both = tost(deltas, -margin, margin, alpha);
  out.p_equivalence = both.p;
  out.ci = both.ci;
  out.equivalent = both.p && *both.p <= alpha;
  out.p_non_inferiority = non_inferiority(deltas, margin, alpha).p;
  out.non_inferior = out.p_non_inferiority && *out.p_non_inferiority <= alpha;
  return out;
}

void fill_tests(MetricFinding& out, const Values& values, const MetricDefinition& metric,
                const MetricContext& context) {
  const AnalysisOptions& options = context.options;
  const BootstrapMean interval =
      bootstrap_mean(values.deltas, options.bootstrap_samples,
                     seed_for(context, metric.name, "bootstrap"), options.conf_level);
  out.ci = interval.bca;
  out.ci_percentile = interval.percentile;

  const Wilcoxon signed_rank = wilcoxon(values.deltas);
  out.wilcoxon_w = signed_rank.w_plus;
  out.wilcoxon_p = signed_rank.p();
  out.wilcoxon_n_used = signed_rank.n_used;
  out.wilcoxon_exact = signed_rank.exact();
  out.rank_biserial = signed_rank.rank_biserial;
  out.hodges_lehmann = hodges_lehmann(values.deltas);

  if (options.enable_permutation) {
    const Permutation flips = sign_flip(values.deltas, options.permutation_samples,
                                        seed_for(context, metric.name, "permutation"));
    out.perm_p = flips.p_two;
    out.perm_exact = flips.exact;
  }
  if (metric.rate) out.mcnemar = mcnemar_finding(values, options.conf_level);
  const auto margin = options.tost_margins.find(std::string(metric.name));
  if (margin != options.tost_margins.end()) {
    out.equivalence = equivalence(values.deltas, margin->second, options.tost_alpha);
  }

  if (metric.rate && context.samples_per_item == 1) {
    out.p = out.mcnemar->p_exact;
    out.p_test = "mcnemar_exact";
  } else {
    out.p = out.wilcoxon_p;
    out.p_test = out.wilcoxon_exact ? "wilcoxon_exact" : "wilcoxon_normal";
  }
}

}  // namespace

MetricFinding metric_finding(const MetricDefinition& metric, const ItemPairs& pairs,
                             const MetricContext& context) {
  MetricFinding out;
  out.metric = metric.name;
  const Values values = paired_values(metric, pairs);
  out.n_pairs = static_cast<std::int64_t>(values.deltas.size());
  if (values.deltas.empty()) {
    bool one_armed = true;
    for (std::size_t i = 0; i < pairs.size() && one_armed; ++i) {
      const ItemPair pair = pairs[i];
      one_armed = !pair.control.expected() || !pair.treatment.expected();
    }
    if (one_armed) {
      out.mean_control = lone_mean(metric, pairs, &ItemPair::control);
      out.mean_treatment = lone_mean(metric, pairs, &ItemPair::treatment);
    }
    return out;
  }
  out.mean_control = moments(values.control).mean;
  out.mean_treatment = moments(values.treatment).mean;
  out.delta = moments(values.deltas).mean;
  const EffectSizes sizes = effect_sizes(values.control, values.treatment);
  out.cohens_d = sizes.d_z;
  out.cliffs_delta = sizes.cliffs_delta;
  out.paired_dominance = sizes.paired_dominance;
  if (metric.rate) {
    out.cohens_h = cohens_h(std::clamp(*out.mean_treatment, 0.0, 1.0),
                            std::clamp(*out.mean_control, 0.0, 1.0));
  }
  fill_tests(out, values, metric, context);
  out.verdict = verdict_of(out, context.options.alpha);
  return out;
}

Verdict verdict_of(const MetricFinding& metric, double alpha) {
  const std::optional<double> p = metric.q_bh ? metric.q_bh : metric.p;
  if (!metric.delta || !p) return Verdict::not_measured;
  if (*p > alpha || *metric.delta == 0) return Verdict::no_detectable_change;
  return *metric.delta > 0 ? Verdict::higher : Verdict::lower;
}

}  // namespace promptsweep
