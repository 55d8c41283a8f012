// SPDX-License-Identifier: Apache-2.0
// From command line and configuration to a plan: what `plan`, `check` and `run` share.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/open.h"
#include "base/result.h"
#include "cli/arguments.h"
#include "config/load.h"
#include "dataset/dataset.h"
#include "plan/make_plan.h"

namespace promptsweep {

struct SweepSetup {
  SweepConfig config;
  std::map<std::string, PluginInfo> plugins;  // by backend name; those that were found
  std::optional<Selection> selection;         // absent: data is missing
  PlannedRun planned;
  std::vector<std::string> missing;  // one sentence each: why the plan cannot run here
};

// The options that choose and narrow a sweep.
boost::program_options::options_description sweep_options();

// Everything is read and checked; nothing is written. A plugin or data that is not there is no
// error but a sentence in `missing`; a dry run needs no plugin.
Result<SweepSetup> set_up_sweep(const ParsedArguments& arguments, const std::string& run_id,
                                bool dry_run);

// The model entry that an engine of the plan was made from.
const ModelEntry* model_of(const SweepConfig& config, const EngineSpec& engine);

}  // namespace promptsweep
