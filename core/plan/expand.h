// SPDX-License-Identifier: Apache-2.0
// The grid: which (model, prompt set, sampling) combinations a configuration asks for. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/sweep_config.h"
#include "records/decoding.h"

namespace promptsweep {

// One trial as configured, before prompts are read and ids are made.
struct Cell {
  std::string user_id;
  const ModelEntry* model = nullptr;  // into the configuration
  const PromptSet* prompt_set = nullptr;
  std::vector<double> temps;  // ascending, unique
  std::optional<double> top_p;
  std::optional<int> top_k;
  TokenLimits max_new_tokens;
};

// trials[] wins over sweep; without either: every configured model with the default prompt set.
Result<std::vector<Cell>> expand_cells(const SweepConfig& config);

}  // namespace promptsweep
