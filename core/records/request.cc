// SPDX-License-Identifier: Apache-2.0
#include "records/request.h"

namespace promptsweep {

std::string_view to_string(Condition condition) {
  return condition == Condition::control ? "control" : "treatment";
}

std::optional<Condition> condition_from(std::string_view name) {
  if (name == "control") return Condition::control;
  if (name == "treatment") return Condition::treatment;
  return std::nullopt;
}

}  // namespace promptsweep
