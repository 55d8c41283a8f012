// SPDX-License-Identifier: Apache-2.0
// Everything that results are made with beside what the stores hold. Recorded in the run, so that
// they can be made again from its folder alone: `run` writes it, `verify` reads it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/options.h"
#include "backend/open.h"
#include "config/sweep_config.h"
#include "cost/pricing.h"
#include "records/plan.h"
#include "run/execute.h"
#include "score/score.h"

namespace promptsweep {

// What an engine answered and how long it took, over all invocations of a run that came as far as
// its results.
struct EngineSpeed {
  std::int64_t accepted = 0;
  double seconds = 0;
};

struct ResultSettings {
  std::string program_version;
  std::int64_t scoring = 0;  // scoring_version
  AnalysisOptions options;
  ScoringRules rules;
  std::map<std::string, PriceQuote> quotes;   // by engine id
  std::map<std::string, EngineSpeed> speeds;  // by engine id
};

AnalysisOptions analysis_options(const SweepConfig& config);
ScoringRules scoring_rules(const SweepConfig& config);
// By engine id. `plugins` tells local engines from providers.
std::map<std::string, PriceQuote> price_quotes(const SweepConfig& config, const RunPlan& plan,
                                               const std::map<std::string, PluginInfo>& plugins);

// Of this program and configuration; no speeds.
ResultSettings result_settings(const SweepConfig& config, const RunPlan& plan,
                               const std::map<std::string, PluginInfo>& plugins);
void add_speeds(ResultSettings& settings, const std::vector<EngineSummary>& engines);

std::string to_json(const ResultSettings& settings);
std::optional<ResultSettings> result_settings_from_json(const std::string& json);

}  // namespace promptsweep
