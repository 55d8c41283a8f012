// SPDX-License-Identifier: Apache-2.0
// The one way in for configuration.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/sweep_config.h"

namespace promptsweep {

// What the command line says over the file. Lists accept spaces and commas.
struct Overrides {
  std::vector<std::string> models;  // ids or aliases; replaces the matching sweep list
  std::vector<std::string> prompt_sets;
  std::vector<std::string> temps;  // texts; a non-number is an error
  std::optional<std::string> condition;
  std::optional<std::int64_t> limit_items, limit_items_per_dataset;
  bool no_sweep = false;
  std::optional<int> lines_per_part;
  std::vector<std::string> set;  // "key.path=value" (YAML scalar or flow), any option
};

// Reads, merges, checks. Relative paths in the file are relative to the current folder, as in the
// original. Every problem found is in the text, one line each: FILE:LINE:COLUMN, key, what was
// found, what is allowed. Code::invalid_input.
Result<SweepConfig> load_config(const std::filesystem::path& file, const Overrides& overrides);

// The JSON Schema (draft 7) of the whole file, generated from the option table.
std::string config_schema_json();
// The option table as a Markdown reference page.
std::string options_markdown();

// Turns a plugin's complaint "/n_ctx: ..." about a model's options into FILE:LINE:COLUMN form.
std::string locate_option_error(const ModelEntry& model, const std::string& complaint);

}  // namespace promptsweep
