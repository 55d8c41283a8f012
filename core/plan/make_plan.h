// SPDX-License-Identifier: Apache-2.0
// Configuration, prompts and items -> the plan of a run. Reads prompt and instruction files, writes
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/sweep_config.h"
#include "dataset/dataset.h"
#include "records/plan.h"

namespace promptsweep {

struct PlanInputs {
  const SweepConfig* config = nullptr;
  // Absent: the data cannot be read here. Ids are then "pending" and slugs carry no hash.
  const SelectionFacts* selection = nullptr;
  // The options that can change an answer, canonical JSON; nullopt: the plugin is not here.
  std::function<std::optional<std::string>(const ModelEntry&)> answer_changing_options;
  std::string run_id;
  std::string command_line_json = "[]";
  // The arms get ids that no real run has.
  bool dry_run = false;
};

// What the plan will cost, as far as it can be known before anything is sent.
struct ArmEstimate {
  std::string arm_id;
  std::int64_t requests = 0;
  std::int64_t prompt_tokens = 0;          // estimate: UTF-8 characters / 4
  std::int64_t max_completion_tokens = 0;  // bound: requests x token limit
};

struct PlannedRun {
  RunPlan plan;
  std::vector<ArmEstimate> estimates;  // by plan.arms
  std::int64_t requests = 0;           // over all arms, each counted once
  // Control arms that more than one trial uses, and the requests that sharing saves.
  int shared_controls = 0;
  std::int64_t requests_saved_by_sharing = 0;
  bool ids_known = false;
};

// Code::invalid_input: a prompt file that cannot be used, arms that would collide, more than one
// trial with the same settings.
Result<PlannedRun> make_plan(const PlanInputs& inputs);

inline constexpr const char* pending_id = "pending";

}  // namespace promptsweep
