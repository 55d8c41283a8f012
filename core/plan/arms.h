// SPDX-License-Identifier: Apache-2.0
// Arms of a cell: identity, id, place of the store.
#pragma once

#include <optional>
#include <string>

#include "plan/expand.h"
#include "records/plan.h"

namespace promptsweep {

struct PromptText {
  std::string text;  // trailing whitespace stripped
  std::string path;
  std::string sha256;  // of `text`
};

struct ArmIngredients {
  const Cell* cell = nullptr;
  double temperature = 0;
  Condition condition = Condition::control;
  const PromptText* system_prompt = nullptr;
  const TaskInstructions* instructions = nullptr;
  std::string engine_id;
  std::optional<std::string> answer_options_json;  // absent: pending
  std::optional<std::string> items_sha256;         // absent: pending
  int samples_per_item = 1;
  std::vector<std::string> stop;
  std::uint64_t seed = 0;
  std::string salt;
};

// The identity holds everything that can change an answer and nothing else. The seed is part of it
// only above temperature 0, where it is sent.
ArmSpec make_arm(const ArmIngredients& from);

}  // namespace promptsweep
