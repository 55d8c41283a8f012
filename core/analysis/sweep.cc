// SPDX-License-Identifier: Apache-2.0
// The correction over all trials of a run.
#include <algorithm>
#include <map>
#include <utility>

#include "analysis/analyze.h"
#include "analysis/metric_findings.h"
#include "base/digest.h"
#include "stats/multiplicity.h"

namespace promptsweep {
namespace {

template <class Visit>
void for_each_primary(std::vector<TrialFindings>& trials, const AnalysisOptions& options,
                      Visit visit) {
  for (TrialFindings& trial : trials) {
    for (TemperatureFindings& at : trial.temperatures) {
      for (BlockFindings& block : at.blocks) {
        for (MetricFinding& metric : block.metrics) {
          const auto& names = options.primary_metrics;
          if (std::find(names.begin(), names.end(), metric.metric) == names.end()) continue;
          visit(trial, at, block, metric);
        }
      }
    }
  }
}

// Independent of the order in which the trials are given.
std::string hash_of(const std::vector<FamilyMember>& family) {
  std::map<std::string, std::string> sorted;
  for (const FamilyMember& member : family) {
    sorted[member.key()] = member.p ? format_number(*member.p) : "null";
  }
  FieldHash fields;
  for (const auto& [key, p] : sorted) fields.add(key).add(p);
  return sha256_hex(fields.bytes());
}

void correct(RunFindings& run) {
  for_each_primary(run.trials, run.options,
                   [&](const TrialFindings& trial, const TemperatureFindings& at,
                       const BlockFindings& block, MetricFinding& metric) {
                     FamilyMember member;
                     member.slug = trial.slug;
                     member.metric = metric.metric;
                     member.temperature = at.temperature;
                     member.type = block.type;
                     member.p_test = metric.p_test;
                     member.p = metric.p;
                     run.family.push_back(std::move(member));
                   });
  std::vector<std::optional<double>> p_values;
  for (const FamilyMember& member : run.family) {
    p_values.push_back(member.p);
    run.family_size += member.p.has_value();
  }
  run.family_hash = hash_of(run.family);
  const auto bh = adjust(p_values, Correction::bh);
  const auto holm = adjust(p_values, Correction::holm);
  std::size_t next = 0;
  for_each_primary(run.trials, run.options,
                   [&](TrialFindings& trial, const TemperatureFindings&, const BlockFindings&,
                       MetricFinding& metric) {
                     run.family[next].q_bh = metric.q_bh = bh[next];
                     run.family[next].q_holm = metric.q_holm = holm[next];
                     ++next;
                     metric.in_family = true;
                     metric.verdict = verdict_of(metric, run.options.alpha);
                     trial.family_hash = run.family_hash;
                     trial.family_size = run.family_size;
                   });
}

}  // namespace

RunFindings correct_over_sweep(std::vector<TrialFindings> trials, const AnalysisOptions& options) {
  RunFindings out;
  out.options = options;
  for (TrialFindings& trial : trials) {
    out.run_id = trial.run_id;
    if (trial.superseded) {
      out.superseded.push_back(std::move(trial));
      continue;
    }
    out.incomplete_trials += !trial.complete;
    out.trials.push_back(std::move(trial));
  }
  if (options.enable_fdr) correct(out);
  return out;
}

void attach_costs(RunFindings& run, RunCost cost) {
  const auto attach = [&](std::vector<TrialFindings>& trials) {
    for (TrialFindings& trial : trials) {
      for (const TrialCost& own : cost.trials) {
        if (own.slug == trial.slug) trial.cost = own;
      }
    }
  };
  attach(run.trials);
  attach(run.superseded);
  run.cost = std::move(cost);
}

}  // namespace promptsweep
