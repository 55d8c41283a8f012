// SPDX-License-Identifier: Apache-2.0
// From command line and configuration to a plan: what `plan`, `check` and `run` share.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <map>
#include <memory>
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
  std::optional<SelectionFacts> selection;    // absent: data is missing
  std::string selection_input_hash;           // of what the selection was made from
  // In run order. Absent: data is missing, or the run's record told the selection and its store
  // has the items.
  std::shared_ptr<const ItemSource> items;
  PlannedRun planned;
  std::vector<std::string> missing;  // one sentence each: why the plan cannot run here
};

// For which run it is set up.
struct SetUpWish {
  std::string run_id;                          // empty: not named
  std::optional<std::filesystem::path> place;  // of the run that `resume` names
  bool dry_run = false;
  std::string command_line_json;  // what makes it the same command; empty: none is continued
};

// The options that choose and narrow a sweep.
boost::program_options::options_description sweep_options();

// Everything is read and checked; nothing is written. A plugin or data that is not there is no
// error but a sentence in `missing`; a dry run needs no plugin. The data is not read where the run
// that is named, or that this command line would continue, records what became of the very same
// files, caps and limits.
Result<SweepSetup> set_up_sweep(const ParsedArguments& arguments, const SetUpWish& wish = {});

// The model entry that an engine of the plan was made from.
const ModelEntry* model_of(const SweepConfig& config, const EngineSpec& engine);

}  // namespace promptsweep
