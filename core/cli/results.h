// SPDX-License-Identifier: Apache-2.0
// From stored answers to files: the phases parse, score, stats, costs and report of a run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "backend/open.h"
#include "base/result.h"
#include "cli/result_settings.h"
#include "config/sweep_config.h"
#include "run/execute.h"
#include "run/observer.h"
#include "store/run_store.h"

namespace promptsweep {

// Records the settings, makes what is missing or made from other inputs, for every trial that is
// not superseded, and writes the manifests. Incomplete trials get their files too, marked so.
// `engines`: what this invocation asked; added to what earlier ones did.
Result<RunFindings> make_results(RunStore& run, const RunPlan& plan, const SweepConfig& config,
                                 const std::map<std::string, PluginInfo>& plugins,
                                 const std::vector<EngineSummary>& engines, Observer& observer);

}  // namespace promptsweep
