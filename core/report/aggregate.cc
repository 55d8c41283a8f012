// SPDX-License-Identifier: Apache-2.0
// A whole run on one page, and on one screen.
#include <algorithm>
#include <array>
#include <string_view>

#include "report/format.h"
#include "report/markdown.h"

namespace promptsweep {
namespace {

constexpr std::array<std::string_view, 6> metric_order{
    "em", "em_answerable", "abstain_rate", "false_answer_rate", "f1", "unsupported_rate"};

template <class Visit>
void for_each_block(const RunFindings& run, Visit visit) {
  for (const TrialFindings& trial : run.trials) {
    for (const TemperatureFindings& at : trial.temperatures) {
      for (const BlockFindings& block : at.blocks) visit(trial, at, block);
    }
  }
}

std::string model_of(const TrialFindings& trial) {
  return trial.model_alias.empty() ? trial.model : trial.model_alias;
}

// Where a trial is measured at all, control, treatment and delta stand side by side.
std::string metric_section(const RunFindings& run, std::string_view name) {
  MarkdownTable table({"Trial", "Model", "Prompt set", "T", "Task", "Pairs", "Control", "Treatment",
                       "\u0394 (points)", level(run.options.conf_level) + " CI", "p", "q"},
                      5);
  for_each_block(run, [&](const TrialFindings& trial, const TemperatureFindings& at,
                          const BlockFindings& block) {
    const MetricFinding* m = block.find(name);
    if (m == nullptr || (!m->mean_control && !m->mean_treatment)) return;
    table.row({trial.slug + (at.complete ? "" : " (incomplete)"), model_of(trial), trial.prompt_set,
               format_number(at.temperature), task_name(block.type), std::to_string(m->n_pairs),
               percent(m->mean_control), percent(m->mean_treatment), points(m->delta),
               points(m->ci), p_value(m->p), p_value(m->q_bh)});
  });
  if (table.empty()) return "";
  return "### " + metric_title(name) + "\n\n" + table.text();
}

std::string trials_section(const RunFindings& run) {
  MarkdownTable table({"Trial", "Model", "Backend", "Prompt set", "State", "Caveats", "Minutes",
                       "Items a minute", "Report"},
                      5);
  for (const TrialFindings& trial : run.trials) {
    table.row({trial.slug, trial.model, trial.backend, trial.prompt_set,
               trial.complete ? "complete" : "**incomplete**", std::to_string(trial.caveats.size()),
               trial.minutes ? fixed(*trial.minutes, 1) : std::string(dash),
               trial.items_per_minute ? fixed(*trial.items_per_minute, 1) : std::string(dash),
               "[report](" + trial.slug + "/reports/report.md)"});
  }
  return table.empty() ? "" : "## Trials\n\n" + table.text();
}

std::string cost_section(const RunFindings& run) {
  if (!run.cost) return "";
  const RunCost& cost = *run.cost;
  MarkdownTable table({"Trial", "Cost alone", "Share of the run"}, 1);
  for (const TrialCost& trial : cost.trials) {
    table.row({trial.slug, dollars(trial.usd_full), dollars(trial.usd_share)});
  }
  std::string out = "## Cost\n\nTotal " + dollars(cost.usd_total) + " over " +
                    std::to_string(cost.arms.size()) + " arms, each counted once";
  if (cost.arms_without_price > 0) {
    out += "; " + std::to_string(cost.arms_without_price) + " of them have no known cost";
    for (const ArmCost& arm : cost.arms) {
      if (arm.usd) continue;
      out += " (" + arm.reason + ")";
      break;
    }
  }
  out += cost.lower_bound ? "; a lower bound.\n\n" : ".\n\n";
  return out + table.text();
}

std::string superseded_section(const RunFindings& run) {
  if (run.superseded.empty()) return "";
  std::string out =
      "## Superseded trials\n\nReplaced by an edit; kept on disk, outside every table and test "
      "above. Their cost is in the total.\n\n";
  for (const TrialFindings& trial : run.superseded) out += "- " + trial.slug + "\n";
  return out + "\n";
}

void append_metric(std::vector<std::string>& row, const MetricFinding* metric) {
  const MetricFinding none;
  const MetricFinding& m = metric != nullptr ? *metric : none;
  for (std::string text : {percent(m.mean_control), percent(m.mean_treatment), points(m.delta),
                           p_value(m.p), p_value(m.q_bh)}) {
    if (text.ends_with(" %")) text.erase(text.size() - 2);
    row.push_back(std::move(text));
  }
}

}  // namespace

std::string aggregate_markdown(const RunFindings& run) {
  std::string out = dry_run_line(run.run_id) + "# Run " + run.run_id + "\n\n" +
                    std::to_string(run.trials.size()) + " trials, " +
                    std::to_string(run.incomplete_trials) + " of them incomplete.\n\n";
  out += trials_section(run);
  out += "## Effects\n\n\u0394 is treatment minus control in percentage points over paired items. ";
  out += run.options.enable_fdr
             ? "q is Benjamini-Hochberg over the " + std::to_string(run.family_size) +
                   " primary tests of the run (family `" + run.family_hash.substr(0, 12) +
                   "`); metrics outside that family have a p only.\n\n"
             : "p-values are not corrected.\n\n";
  for (const std::string_view metric : metric_order) out += metric_section(run, metric);
  out += cost_section(run);
  out += superseded_section(run);
  while (out.size() > 1 && out[out.size() - 2] == '\n') out.pop_back();
  return out;
}

std::string sweep_table(const RunFindings& run) {
  std::vector<std::vector<std::string>> rows{{"model", "prompt set", "T", "task", "trial", "n",
                                              "EM% c", "t", "\u0394", "p", "q", "abst% c", "t",
                                              "\u0394", "p", "q"}};
  for_each_block(run, [&](const TrialFindings& trial, const TemperatureFindings& at,
                          const BlockFindings& block) {
    std::vector<std::string> row{model_of(trial),
                                 trial.prompt_set,
                                 format_number(at.temperature),
                                 std::string(to_string(block.type)),
                                 trial.slug + (at.complete ? "" : " (incomplete)"),
                                 std::to_string(block.n_pairs)};
    append_metric(row, block.find("em"));
    append_metric(row, block.find("abstain_rate"));
    rows.push_back(std::move(row));
  });
  return text_table(rows, 5);
}

}  // namespace promptsweep
