// SPDX-License-Identifier: Apache-2.0
// From stored answers to files: the phases parse, score, stats, costs and report of a run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "backend/open.h"
#include "base/result.h"
#include "config/sweep_config.h"
#include "cost/pricing.h"
#include "run/execute.h"
#include "run/observer.h"
#include "score/score.h"
#include "store/run_store.h"

namespace promptsweep {

AnalysisOptions analysis_options(const SweepConfig& config);
ScoringRules scoring_rules(const SweepConfig& config);
// By engine id. `plugins` tells local engines from providers.
std::map<std::string, PriceQuote> price_quotes(const SweepConfig& config, const RunPlan& plan,
                                               const std::map<std::string, PluginInfo>& plugins);

// Makes what is missing or made from other inputs, for every trial that is not superseded, and
// writes the manifests. Incomplete trials get their files too, marked so.
Result<RunFindings> make_results(RunStore& run, const RunPlan& plan, const SweepConfig& config,
                                 const std::map<std::string, PluginInfo>& plugins,
                                 const std::vector<EngineSummary>& engines, Observer& observer);

}  // namespace promptsweep
