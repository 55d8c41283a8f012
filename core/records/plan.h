// SPDX-License-Identifier: Apache-2.0
// The plan of a run as data: arms, trials, blocks. `plan` makes it, `store` keeps it, `run` follows
// it. Vocabulary: core/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/decoding.h"
#include "records/item.h"
#include "records/request.h"

namespace promptsweep {

struct TaskInstructions {
  std::string closed_book;
  std::string open_book;

  const std::string& of(TaskType type) const {
    return type == TaskType::closed_book ? closed_book : open_book;
  }
  bool operator==(const TaskInstructions&) const = default;
};

// One backend instance: a loaded model. Arms that share it share the loaded model.
struct EngineSpec {
  std::string engine_id;     // content_id of the fields below: a folder name for logs
  std::string backend;       // plugin name
  std::string model;         // full model id, sent in each request line
  std::string options_json;  // backend_options, canonical JSON
  std::string isolation;     // auto, process, inline
};

// All requests of one (engine, system prompt, instructions, items, decoding at one temperature).
struct ArmSpec {
  std::string arm_id;  // content_id of identity_json, or "pending" where it cannot be computed
  std::string identity_json;
  std::string engine_id;
  Condition condition = Condition::control;
  std::string prompt_set;  // of a treatment; of a control: the first set that uses it
  std::string system_prompt;
  std::string system_prompt_path;
  std::string system_prompt_sha256;
  TaskInstructions instructions;
  Decoding decoding;
  std::string salt;        // second arm of an A/A trial; else empty
  std::string store_path;  // relative to the run folder: .../arm.sqlite
  std::int64_t request_count = 0;
};

// What a trial holds at one temperature. Either side may be absent (--condition control|treatment).
struct ArmPair {
  double temperature = 0;
  std::string control_arm_id;    // empty: not part of this plan
  std::string treatment_arm_id;  // empty: not part of this plan
};

struct TrialSpec {
  std::string slug;     // folder name; readable, ends in a short hash of what can change an answer
  std::string user_id;  // trials[].id of the configuration, or empty
  std::string engine_id;
  std::string backend;
  std::string model;
  std::string model_alias;
  std::string prompt_set;
  std::optional<double> top_p;
  std::optional<int> top_k;
  TokenLimits max_new_tokens;
  std::vector<ArmPair> pairs;  // by temperature, ascending
  bool superseded = false;     // an edit replaced it; kept on disk, outside every table
};

// A fixed run of one arm's requests of one task type: the unit of ordering and of jobs.
struct Block {
  std::string arm_id;
  TaskType type = TaskType::closed_book;
  std::int64_t first = 0;  // index into the arm's requests of that type, in item order
  std::int64_t count = 0;
};

struct RunPlan {
  std::string run_id;
  std::string config_sha256;      // of the effective configuration
  std::string effective_config;   // YAML text with command-line overrides merged in
  std::string command_line_json;  // JSON array of the arguments
  std::string invocation_json;    // what `resume` needs (cli/invocation.h); empty: not recorded
  std::vector<EngineSpec> engines;
  std::vector<ArmSpec> arms;
  std::vector<TrialSpec> trials;
  std::vector<Block> blocks;  // in execution order
  std::string items_sha256;   // of the pinned items, in order
  std::string order;          // interleaved or blocked
};

// A dry run pretends: no engine is asked. Its id and its folder begin with this, which neither the
// id nor the folder of a real run may, so that neither is ever taken for the other.
inline constexpr std::string_view dry_run_prefix = "dryrun_";
bool is_dry_run(std::string_view run_id);
// "run_<id>", and of a dry run its id.
std::string run_folder_name(std::string_view run_id);

const EngineSpec* find_engine(const RunPlan& plan, const std::string& engine_id);
const ArmSpec* find_arm(const RunPlan& plan, const std::string& arm_id);

// JSON documents with every field, and back (nullopt: no such document).
std::string to_json(const RunPlan& plan);
std::optional<RunPlan> run_plan_from_json(const std::string& json);
std::string to_json(const EngineSpec& engine);
std::optional<EngineSpec> engine_spec_from_json(const std::string& json);
std::string to_json(const ArmSpec& arm);
std::optional<ArmSpec> arm_spec_from_json(const std::string& json);
std::string to_json(const TrialSpec& trial);
std::optional<TrialSpec> trial_spec_from_json(const std::string& json);

}  // namespace promptsweep
