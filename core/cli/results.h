// SPDX-License-Identifier: Apache-2.0
// From stored answers to files: the phases parse, score, stats, costs and report of a run.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "backend/open.h"
#include "base/result.h"
#include "config/sweep_config.h"
#include "run/execute.h"
#include "run/observer.h"
#include "run/phase.h"
#include "store/run_store.h"

namespace promptsweep {

struct ResultInputs {
  RunStore& run;
  const RunPlan& plan;  // the run's own, superseded trials included
  const SweepConfig& config;
  const std::map<std::string, PluginInfo>& plugins;
  const std::vector<EngineSummary>& engines;  // what this invocation asked
  Observer& observer;
};

// The stages parse, score, stats, costs and report, for every trial that is not superseded.
// Incomplete trials get their files too, marked so. Keeps references to what it was made from.
class ResultStages {
 public:
  virtual ~ResultStages() = default;
  // Code::state with one sentence: what the stage works on is not there yet.
  virtual Status ready(const std::string& stage) = 0;
  // Records first what the files are made with, so that they can always be made again.
  virtual Result<std::vector<Phase>> phases(const std::string& stage, bool again) = 0;
  // Made when first asked for. REQUIRES: the stage score is done.
  virtual Result<const RunFindings*> findings() = 0;
};
std::unique_ptr<ResultStages> make_result_stages(const ResultInputs& inputs);

}  // namespace promptsweep
