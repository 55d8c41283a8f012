// SPDX-License-Identifier: Apache-2.0
#include "report/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace promptsweep {
namespace {

using nlohmann::json;

constexpr int significance_schema = 3;
constexpr int costs_schema = 2;

json number(std::optional<double> value) {
  return value && std::isfinite(*value) ? json(*value) : json();
}

json interval(const std::optional<Interval>& value) {
  if (!value) return json();
  return json::array({number(value->low), number(value->high)});
}

json text_or_null(const std::string& text) { return text.empty() ? json() : json(text); }

json counts(const std::vector<std::pair<Outcome, std::int64_t>>& values) {
  json out = json::object();
  for (const auto& [outcome, count] : values) out[std::string(to_string(outcome))] = count;
  return out;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::no_detectable_change:
      return "no_detectable_change";
    case Verdict::higher:
      return "higher";
    case Verdict::lower:
      return "lower";
    case Verdict::not_measured:
      break;
  }
  return "not_measured";
}

json mcnemar_json(const McNemarFinding& m) {
  return {{"both", m.both},
          {"b", m.b},
          {"c", m.c},
          {"neither", m.neither},
          {"p_exact", m.p_exact},
          {"p_midp", m.p_midp},
          {"odds_ratio", number(m.odds_ratio)},
          {"or_ci_95", json::array({number(m.or_low), number(m.or_high)})},
          {"status", m.status}};
}

json equivalence_json(const EquivalenceFinding& e) {
  return {{"margin", e.margin},
          {"alpha", e.alpha},
          {"p_equivalence", number(e.p_equivalence)},
          {"p_non_inferiority", number(e.p_non_inferiority)},
          {"ci", interval(e.ci)},
          {"equivalent", e.equivalent},
          {"non_inferior", e.non_inferior}};
}

json metric_json(const MetricFinding& m, bool with_q) {
  json out{{"n_items", m.n_pairs},
           {"mean_control", number(m.mean_control)},
           {"mean_treatment", number(m.mean_treatment)},
           {"delta_mean", number(m.delta)},
           {"ci_95", interval(m.ci)},
           {"ci_95_percentile", interval(m.ci_percentile)},
           {"wilcoxon",
            {{"W", number(m.wilcoxon_w)},
             {"p_value", number(m.wilcoxon_p)},
             {"n_used", m.wilcoxon_n_used},
             {"exact", m.wilcoxon_exact}}},
           {"hodges_lehmann", number(m.hodges_lehmann)},
           {"rank_biserial", number(m.rank_biserial)},
           {"cohens_d", number(m.cohens_d)},
           {"cliffs_delta", number(m.cliffs_delta)},
           {"paired_dominance", number(m.paired_dominance)},
           {"cohens_h", number(m.cohens_h)},
           {"perm_p_value", number(m.perm_p)},
           {"perm_exact", m.perm_exact},
           {"mcnemar", m.mcnemar ? mcnemar_json(*m.mcnemar) : json()},
           {"equivalence", m.equivalence ? equivalence_json(*m.equivalence) : json()},
           {"p_value", number(m.p)},
           {"p_test", text_or_null(m.p_test)}};
  if (with_q) {
    out["in_family"] = m.in_family;
    out["q_value"] = number(m.q_bh);
    out["q_holm"] = number(m.q_holm);
    out["verdict"] = name_of(m.verdict);
  }
  return out;
}

json metrics_json(const std::vector<MetricFinding>& metrics, bool with_q) {
  json out = json::object();
  for (const MetricFinding& metric : metrics) out[metric.metric] = metric_json(metric, with_q);
  return out;
}

json attrition_json(const AttritionFinding& a) {
  return {{"n_items", a.n_items},
          {"n_pairs", a.n_pairs},
          {"pairing_rate", a.pairing_rate},
          {"only_control_missing", a.only_control_missing},
          {"only_treatment_missing", a.only_treatment_missing},
          {"both_missing", a.both_missing},
          {"p_exact", a.p},
          {"requests",
           {{"control", counts(a.control_requests)}, {"treatment", counts(a.treatment_requests)}}},
          {"missing_items",
           {{"control", counts(a.control_missing)}, {"treatment", counts(a.treatment_missing)}}},
          {"partly_scored_items",
           {{"control", a.control_partial}, {"treatment", a.treatment_partial}}}};
}

json block_json(const BlockFindings& block, bool with_q, bool whole) {
  json out{{"n_items", block.n_items},
           {"n_pairs", block.n_pairs},
           {"n_unanswerable", block.n_unanswerable},
           {"attrition", attrition_json(block.attrition)},
           {"metrics", metrics_json(block.metrics, with_q)},
           {"mcnemar", nullptr}};
  // Where the original's readers look for the test of accuracy.
  if (const MetricFinding* em = block.find("em"); em != nullptr && em->mcnemar) {
    out["mcnemar"] = mcnemar_json(*em->mcnemar);
    if (with_q) out["mcnemar"]["q_value"] = number(em->q_bh);
  }
  if (!whole) return out;
  out["metrics_other_behaviour"] =
      block.metrics_other.empty() ? json() : metrics_json(block.metrics_other, with_q);
  out["subgroups"]["dataset"] = json::object();
  for (const BlockFindings& subgroup : block.subgroups) {
    out["subgroups"]["dataset"][subgroup.dataset] = block_json(subgroup, with_q, false);
  }
  return out;
}

json options_json(const AnalysisOptions& options) {
  return {{"bootstrap_samples", options.bootstrap_samples},
          {"permutation_samples", options.permutation_samples},
          {"random_seed", options.random_seed},
          {"enable_permutation", options.enable_permutation},
          {"enable_fdr", options.enable_fdr},
          {"conf_level", options.conf_level},
          {"alpha", options.alpha},
          {"tost_alpha", options.tost_alpha},
          {"tost_margins", options.tost_margins},
          {"behaviour_outcomes", to_string(options.behaviour_outcomes)},
          {"primary_metrics", options.primary_metrics}};
}

json arm_json(const ArmCost& arm) {
  const ArmUsage& used = arm.usage;
  return {{"arm_id", arm.arm_id},
          {"rows", used.rows},
          {"cached_rows", used.cached_rows},
          {"reused_prompt_tokens", used.reused_prompt_tokens},
          {"reused_completion_tokens", used.reused_completion_tokens},
          {"rows_without_token_counts", used.rows_without_counts},
          {"extra_attempts", used.extra_attempts},
          {"prompt_tokens", used.prompt_tokens},
          {"completion_tokens", used.completion_tokens},
          {"total_tokens", used.prompt_tokens + used.completion_tokens},
          {"usd", number(arm.usd)},
          {"reason", text_or_null(arm.reason)},
          {"lower_bound", arm.lower_bound},
          {"pricing",
           {{"input_rate_per_mtok", number(arm.input_rate_per_mtok)},
            {"output_rate_per_mtok", number(arm.output_rate_per_mtok)},
            {"rate_type", text_or_null(arm.rate_type)},
            {"source", text_or_null(arm.price_source)}}}};
}

json trial_json(const TrialCost& trial) {
  json arms = json::array();
  for (const TrialArmCost& arm : trial.arms) {
    arms.push_back({{"arm_id", arm.arm_id},
                    {"condition", to_string(arm.condition)},
                    {"temperature", arm.temperature},
                    {"shared_by", arm.shared_by},
                    {"usd", number(arm.usd_full)},
                    {"usd_share", number(arm.usd_share)}});
  }
  return {{"slug", trial.slug},
          {"arms", arms},
          {"usd", number(trial.usd_full)},
          {"usd_share", number(trial.usd_share)},
          {"lower_bound", trial.lower_bound},
          {"reason", text_or_null(trial.reason)}};
}

// Invalid UTF-8 (from a plugin, say) becomes U+FFFD instead of an exception.
std::string text(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string trial_significance_json(const TrialFindings& trial, bool with_q) {
  json results = json::object(), temperatures = json::array(), caveats = json::array();
  for (const TemperatureFindings& at : trial.temperatures) {
    temperatures.push_back(at.temperature);
    json& blocks = results[format_number(at.temperature)];
    blocks = json::object();
    for (const BlockFindings& block : at.blocks) {
      blocks[std::string(to_string(block.type))] = block_json(block, with_q, true);
      blocks[std::string(to_string(block.type))]["samples_per_item"] = at.samples_per_item;
    }
  }
  for (const Caveat& caveat : trial.caveats) {
    caveats.push_back({{"code", caveat.code}, {"text", caveat.text}});
  }
  json out{{"schema_version", significance_schema},
           {"slug", trial.slug},
           {"complete", trial.complete},
           {"temps", temperatures},
           {"stats_config", options_json(trial.options)},
           {"results", results},
           {"caveats", caveats}};
  if (with_q) {
    out["family"] = trial.family_hash.empty()
                        ? json()
                        : json{{"hash", trial.family_hash}, {"size", trial.family_size}};
  }
  return text(out);
}

std::string run_significance_json(const RunFindings& run) {
  json members = json::array(), trials = json::array(), superseded = json::array();
  for (const FamilyMember& member : run.family) {
    members.push_back({{"slug", member.slug},
                       {"temperature", member.temperature},
                       {"type", to_string(member.type)},
                       {"metric", member.metric},
                       {"p_test", text_or_null(member.p_test)},
                       {"p_value", number(member.p)},
                       {"q_value", number(member.q_bh)},
                       {"q_holm", number(member.q_holm)}});
  }
  for (const TrialFindings& trial : run.trials) {
    trials.push_back({{"slug", trial.slug}, {"complete", trial.complete}});
  }
  for (const TrialFindings& trial : run.superseded) superseded.push_back(trial.slug);
  return text({{"schema_version", significance_schema},
               {"run_id", run.run_id},
               {"stats_config", options_json(run.options)},
               {"family",
                {{"hash", text_or_null(run.family_hash)},
                 {"size", run.family_size},
                 {"method", run.options.enable_fdr ? json("benjamini_hochberg") : json()},
                 {"members", members}}},
               {"trials", trials},
               {"superseded", superseded}});
}

std::string trial_costs_json(const TrialFindings& trial, const RunFindings& run) {
  json out = trial.cost ? trial_json(*trial.cost) : json::object();
  out["schema_version"] = costs_schema;
  out["slug"] = trial.slug;
  if (!trial.cost || !run.cost) {
    out["usd"] = nullptr;
    out["usd_share"] = nullptr;
    out["arms"] = json::array();
    out["reason"] = "costs were not computed";
    return text(out);
  }
  for (json& arm : out["arms"]) {
    for (const ArmCost& cost : run.cost->arms) {
      if (cost.arm_id == arm.at("arm_id").get_ref<const std::string&>()) {
        arm.update(arm_json(cost));
      }
    }
  }
  return text(out);
}

std::string run_costs_json(const RunFindings& run) {
  json out{{"schema_version", costs_schema},
           {"run_id", run.run_id},
           {"usd_total", nullptr},
           {"arms", json::array()},
           {"trials", json::array()}};
  if (!run.cost) return text(out);
  out["usd_total"] = number(run.cost->usd_total);
  out["arms_without_price"] = run.cost->arms_without_price;
  out["lower_bound"] = run.cost->lower_bound;
  for (const ArmCost& arm : run.cost->arms) out["arms"].push_back(arm_json(arm));
  for (const TrialCost& trial : run.cost->trials) out["trials"].push_back(trial_json(trial));
  return text(out);
}

}  // namespace promptsweep
