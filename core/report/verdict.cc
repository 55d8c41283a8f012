// SPDX-License-Identifier: Apache-2.0
#include "report/verdict.h"

#include <algorithm>
#include <cctype>

#include "report/format.h"

namespace promptsweep {
namespace {

std::string capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

// "23.1 points": a size without its sign.
std::string size_of(double delta) {
  std::string text = points(delta);
  if (text[0] == '+' || text[0] == '-') text.erase(0, 1);
  return text + " points";
}

std::string certainty(const MetricFinding& metric) {
  return metric.q_bh ? "q = " + p_value(metric.q_bh) : "p = " + p_value(metric.p);
}

}  // namespace

std::string verdict_sentence(const MetricFinding& metric, double conf_level) {
  if (metric.verdict == Verdict::not_measured) return "";
  const std::string name = capitalised(metric_phrase(metric.metric));
  const std::string interval = level(conf_level) + " CI " + points(metric.ci);
  if (metric.verdict == Verdict::no_detectable_change) {
    return name + ": no detectable change (" + points(metric.delta) + " points; " + interval +
           "); " + certainty(metric) + ".";
  }
  return name + (metric.verdict == Verdict::higher ? " rose by " : " fell by ") +
         size_of(*metric.delta) + " (" + percent(metric.mean_control) + " to " +
         percent(metric.mean_treatment) + "; " + interval + "); " + certainty(metric) + ".";
}

std::vector<std::string> verdict_sentences(const BlockFindings& block,
                                           const AnalysisOptions& options) {
  const auto& primary = options.primary_metrics;
  std::vector<std::string> out;
  for (const MetricFinding& metric : block.metrics) {
    const bool shown = metric.metric == "em_answerable" ? block.n_unanswerable > 0
                                                        : std::find(primary.begin(), primary.end(),
                                                                    metric.metric) != primary.end();
    if (!shown) continue;
    std::string sentence = verdict_sentence(metric, options.conf_level);
    if (!sentence.empty()) out.push_back(std::move(sentence));
  }
  return out;
}

}  // namespace promptsweep
