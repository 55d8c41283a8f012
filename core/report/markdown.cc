// SPDX-License-Identifier: Apache-2.0
#include "report/markdown.h"

#include <map>

#include "report/format.h"
#include "report/verdict.h"

namespace promptsweep {
namespace {

using Counts = std::vector<std::pair<Outcome, std::int64_t>>;

std::string at_text(const TemperatureFindings& at) {
  return "temperature " + format_number(at.temperature);
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

std::string or_dash(const std::string& text) { return text.empty() ? std::string(dash) : text; }

std::string found_section(const TrialFindings& trial) {
  std::string out = "## What was found\n\n";
  if (!trial.complete) out += "**Preliminary:** the trial is incomplete.\n\n";
  bool any = false;
  for (const TemperatureFindings& at : trial.temperatures) {
    for (const BlockFindings& block : at.blocks) {
      const std::vector<std::string> sentences = verdict_sentences(block, trial.options);
      if (sentences.empty()) continue;
      any = true;
      out += "**" + task_name(block.type) + ", " + at_text(at) + "** (" +
             std::to_string(block.n_pairs) + " pairs)\n\n";
      for (const std::string& sentence : sentences) out += "- " + sentence + "\n";
      out += "\n";
    }
  }
  if (!any) out += "Nothing is comparable yet: no item has a scored answer in both arms.\n\n";
  return out;
}

std::string prompt_cell(const std::optional<PromptFinding>& prompt) {
  if (!prompt) return std::string(dash);
  std::string out = code(prompt->path) + ", sha256 " + code(prompt->sha256) + ", about " +
                    std::to_string(prompt->token_estimate) + " tokens (estimate)";
  if (prompt->measured_tokens_per_request) {
    out += "; " + fixed(*prompt->measured_tokens_per_request, 1) +
           " prompt tokens a request on average (engine's count)";
  }
  return out;
}

std::string decoding_cell(const TrialFindings& trial) {
  std::string temperatures, samples;
  for (const TemperatureFindings& at : trial.temperatures) {
    if (!temperatures.empty()) temperatures += ", ", samples += ", ";
    temperatures += format_number(at.temperature);
    samples += std::to_string(at.samples_per_item);
  }
  std::string out = "temperature " + or_dash(temperatures) + "; samples an item " +
                    or_dash(samples) + "; top_p " +
                    (trial.top_p ? format_number(*trial.top_p) : "not sent") + "; top_k " +
                    (trial.top_k ? std::to_string(*trial.top_k) : "not sent") + "; at most " +
                    std::to_string(trial.max_new_tokens.closed_book) + " (closed-book) and " +
                    std::to_string(trial.max_new_tokens.open_book) +
                    " (open-book) new tokens; seed " + std::to_string(trial.seed);
  if (trial.seed_honoured + trial.seed_not_honoured > 0) {
    out += " (honoured in " + std::to_string(trial.seed_honoured) + " answers, not in " +
           std::to_string(trial.seed_not_honoured) + ")";
  }
  return out;
}

std::string identity_cell(const TrialFindings& trial) {
  for (const TemperatureFindings& at : trial.temperatures) {
    if (!at.treatment_identity.empty()) return code(at.treatment_identity);
    if (!at.control_identity.empty()) return code(at.control_identity);
  }
  return std::string(dash);
}

std::string items_cell(const TrialFindings& trial) {
  std::string out;
  for (const auto& [dataset, count] : trial.items_by_dataset) {
    out += (out.empty() ? "" : ", ") + dataset + " " + std::to_string(count);
  }
  return or_dash(out) + "; sha256 " + code(trial.items_sha256);
}

std::string design_section(const TrialFindings& trial) {
  MarkdownTable table({"Design", ""}, 2);
  table.row({"Run", trial.run_id});
  table.row({"Model", trial.model + (trial.model_alias.empty() || trial.model_alias == trial.model
                                         ? ""
                                         : " (" + trial.model_alias + ")")});
  table.row({"Backend", trial.backend + (trial.isolation.empty() ? "" : ", " + trial.isolation)});
  table.row({"Backend options", or_dash(code(trial.options_json))});
  table.row({"Engine", identity_cell(trial)});
  table.row({"Prompt set", trial.prompt_set});
  table.row({"Control prompt", prompt_cell(trial.control_prompt)});
  table.row({"Treatment prompt", prompt_cell(trial.treatment_prompt)});
  table.row({"Decoding", decoding_cell(trial)});
  table.row({"Items", items_cell(trial)});
  table.row({"Order", trial.order});
  return "## Design\n\n" + table.text();
}

std::string reason_name(Outcome outcome) {
  return outcome == Outcome::ok ? "not scored" : std::string(to_string(outcome));
}

std::string reasons(const Counts& counts) {
  std::string out;
  for (const auto& [outcome, count] : counts) {
    out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + reason_name(outcome);
  }
  return out.empty() ? "none" : out;
}

// Answers that did not come from asking once: re-rolls can favour an arm, and reused answers are of
// another day.
std::string asked_again(const TrialFindings& trial) {
  if (!trial.cost) return "";
  MarkdownTable table({"Temperature", "Arm", "Asked again", "Taken from earlier runs"}, 2);
  std::int64_t sum = 0;
  for (const TrialArmCost& arm : trial.cost->arms) {
    sum += arm.extra_attempts + arm.cached_rows;
    table.row({format_number(arm.temperature), std::string(to_string(arm.condition)),
               std::to_string(arm.extra_attempts), std::to_string(arm.cached_rows)});
  }
  if (sum == 0)
    return "Every answer came at the first asking, and none was taken from an earlier run.\n\n";
  return "Requests that were asked again because the infrastructure failed, and answers that were "
         "taken from earlier runs.\n\n" +
         table.text();
}

std::string balance_section(const TrialFindings& trial) {
  MarkdownTable outcomes({"Temperature", "Task", "Outcome", "Control", "Treatment"}, 3);
  MarkdownTable pairing({"Temperature", "Task", "Items", "Paired", "Paired share",
                         "Control missing", "Treatment missing", "p (missing differs)"},
                        2);
  for (const TemperatureFindings& at : trial.temperatures) {
    for (const BlockFindings& block : at.blocks) {
      const AttritionFinding& a = block.attrition;
      std::map<Outcome, std::pair<std::string, std::string>> rows;
      for (const auto& [outcome, n] : a.control_requests) rows[outcome].first = std::to_string(n);
      for (const auto& [outcome, n] : a.treatment_requests) {
        rows[outcome].second = std::to_string(n);
      }
      const std::string temperature = format_number(at.temperature);
      for (const auto& [outcome, n] : rows) {
        outcomes.row({temperature, task_name(block.type), std::string(to_string(outcome)),
                      n.first.empty() ? "0" : n.first, n.second.empty() ? "0" : n.second});
      }
      pairing.row({temperature, task_name(block.type), std::to_string(a.n_items),
                   std::to_string(a.n_pairs), percent(a.pairing_rate), reasons(a.control_missing),
                   reasons(a.treatment_missing), p_value(a.p)});
    }
  }
  if (pairing.empty()) return "";
  return "## Data balance\n\nRequests by outcome, and items by whether both arms have a scored "
         "answer.\n\n" +
         outcomes.text() + pairing.text() + asked_again(trial);
}

std::vector<std::string> metric_titles(double conf_level) {
  return {"Metric", "Pairs", "Control", "Treatment", "\u0394 (points)", level(conf_level) + " CI",
          "p",      "q"};
}

std::vector<std::string> metric_row(const std::string& title, const MetricFinding& metric) {
  return {title,
          std::to_string(metric.n_pairs),
          percent(metric.mean_control),
          percent(metric.mean_treatment),
          points(metric.delta),
          points(metric.ci),
          p_value(metric.p),
          p_value(metric.q_bh)};
}

std::string metric_table(const std::vector<MetricFinding>& metrics, double conf_level) {
  MarkdownTable table(metric_titles(conf_level), 1);
  for (const MetricFinding& metric : metrics) {
    table.row(metric_row(metric_title(metric.metric), metric));
  }
  return table.text();
}

std::string odds_cell(const McNemarFinding& m) {
  if (m.status == "no_discordant_pairs") return std::string(dash);
  return (m.odds_ratio ? ratio(m.odds_ratio) : "\u221e") + " [" + ratio(m.or_low) + ", " +
         (m.or_high ? ratio(m.or_high) : "\u221e") + "]";
}

std::string mcnemar_table(const BlockFindings& block, double conf_level) {
  MarkdownTable table({"McNemar", "Both", "Treatment only (b)", "Control only (c)", "Neither",
                       "Odds ratio b/c [" + level(conf_level) + " CI]", "p exact", "p mid"},
                      1);
  for (const MetricFinding& metric : block.metrics) {
    if (!metric.mcnemar) continue;
    const McNemarFinding& m = *metric.mcnemar;
    table.row({metric_title(metric.metric), std::to_string(m.both), std::to_string(m.b),
               std::to_string(m.c), std::to_string(m.neither), odds_cell(m), p_value(m.p_exact),
               p_value(m.p_midp)});
  }
  return table.empty() ? "" : table.text();
}

std::string effect_table(const BlockFindings& block) {
  MarkdownTable table({"Effect", "Hodges-Lehmann", "d_z", "Cliff's delta", "Paired dominance",
                       "Cohen's h", "Wilcoxon p", "Sign-flip p"},
                      1);
  for (const MetricFinding& m : block.metrics) {
    if (m.n_pairs == 0) continue;
    table.row({metric_title(m.metric), ratio(m.hodges_lehmann), ratio(m.cohens_d),
               ratio(m.cliffs_delta), ratio(m.paired_dominance), ratio(m.cohens_h),
               p_value(m.wilcoxon_p), p_value(m.perm_p)});
  }
  return table.empty() ? "" : table.text();
}

std::string dataset_table(const BlockFindings& block, double conf_level) {
  if (block.subgroups.size() < 2) return "";
  MarkdownTable table(metric_titles(conf_level), 1);
  for (const BlockFindings& subgroup : block.subgroups) {
    for (const MetricFinding& metric : subgroup.metrics) {
      if (metric.n_pairs == 0) continue;
      table.row(metric_row(subgroup.dataset + ": " + metric_title(metric.metric), metric));
    }
  }
  return "By data set (exploratory: not corrected, no q):\n\n" + table.text();
}

std::string block_section(const BlockFindings& block, const AnalysisOptions& options) {
  std::string out = "#### " + task_name(block.type) + "\n\n" + std::to_string(block.n_items) +
                    " items, " + std::to_string(block.n_pairs) + " paired, " +
                    std::to_string(block.n_unanswerable) + " unanswerable.\n\n";
  out += metric_table(block.metrics, options.conf_level);
  out += mcnemar_table(block, options.conf_level);
  out += effect_table(block);
  if (!block.metrics_other.empty()) {
    out += options.behaviour_outcomes == BehaviourOutcomes::exclude
               ? "With truncated, empty and filtered answers scored as wrong:\n\n"
               : "With truncated, empty and filtered answers left out:\n\n";
    out += metric_table(block.metrics_other, options.conf_level);
  }
  return out + dataset_table(block, options.conf_level);
}

std::string results_section(const TrialFindings& trial) {
  std::string out =
      "## Results\n\n\u0394 is treatment minus control in percentage points over the paired items; "
      "the interval is a BCa bootstrap; p is exact McNemar for yes/no metrics at one sample an "
      "item, else Wilcoxon; ";
  out += trial.family_hash.empty()
             ? "no q: p-values are not corrected.\n\n"
             : "q is Benjamini-Hochberg over the " + std::to_string(trial.family_size) +
                   " primary tests of the run (family " + code(trial.family_hash.substr(0, 12)) +
                   ").\n\n";
  for (const TemperatureFindings& at : trial.temperatures) {
    out += "### Temperature " + format_number(at.temperature) +
           (at.complete ? "" : " (incomplete)") + "\n\n";
    for (const BlockFindings& block : at.blocks) out += block_section(block, trial.options);
  }
  return out;
}

std::string caveats_section(const TrialFindings& trial) {
  if (trial.caveats.empty()) return "";
  std::string out = "## Caveats\n\n";
  for (const Caveat& caveat : trial.caveats) out += "- " + caveat.text + "\n";
  return out + "\n";
}

std::string cost_section(const TrialFindings& trial) {
  if (!trial.cost) return "";
  const TrialCost& cost = *trial.cost;
  MarkdownTable table({"Arm", "Temperature", "Shared by", "Full cost", "This trial's share"}, 1);
  for (const TrialArmCost& arm : cost.arms) {
    table.row({std::string(to_string(arm.condition)), format_number(arm.temperature),
               std::to_string(arm.shared_by), dollars(arm.usd_full), dollars(arm.usd_share)});
  }
  table.row({"Sum", "", "", dollars(cost.usd_full), dollars(cost.usd_share)});
  std::string out = "## Cost\n\n" + table.text();
  if (!cost.usd_full) out += "No cost: " + cost.reason + ".\n\n";
  if (cost.lower_bound) {
    out += "A lower bound: some answers came without token counts or were sent more than once.\n\n";
  }
  return out;
}

std::string speed_section(const TrialFindings& trial) {
  if (!trial.minutes) return "";
  return "## Time\n\n" + fixed(*trial.minutes, 1) + " minutes" +
         (trial.items_per_minute ? ", " + fixed(*trial.items_per_minute, 1) + " items a minute"
                                 : "") +
         ".\n\n";
}

}  // namespace

std::string trial_markdown(const TrialFindings& trial) {
  std::string title = dry_run_line(trial.run_id) + "# Trial " + trial.slug;
  if (!trial.user_id.empty()) title += " (" + trial.user_id + ")";
  if (trial.superseded) title += " (superseded)";
  if (!trial.complete) title += " (incomplete)";
  std::string out = title + "\n\n" + found_section(trial) + design_section(trial) +
                    balance_section(trial) + results_section(trial) + caveats_section(trial) +
                    cost_section(trial) + speed_section(trial);
  while (out.size() > 1 && out[out.size() - 2] == '\n') out.pop_back();
  return out;
}

}  // namespace promptsweep
