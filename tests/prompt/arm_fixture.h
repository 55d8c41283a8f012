// SPDX-License-Identifier: Apache-2.0
// An arm that sends every setting, and items for it.
#pragma once

#include <string>
#include <vector>

#include "records/item.h"
#include "records/plan.h"

namespace promptsweep {

inline ArmSpec sampling_arm() {
  ArmSpec arm;
  arm.arm_id = "arm1";
  arm.condition = Condition::treatment;
  arm.system_prompt = "Be brief.";
  arm.instructions = {"Answer.", "Answer from the passage."};
  arm.decoding.temperature = 0.7;
  arm.decoding.top_p = 0.9;
  arm.decoding.top_k = 40;
  arm.decoding.max_new_tokens = {64, 128};
  arm.decoding.stop = {"\n"};
  arm.decoding.samples_per_item = 2;
  return arm;
}

inline ArmSpec greedy_arm() {
  ArmSpec arm = sampling_arm();
  arm.decoding = Decoding();
  return arm;
}

inline Item closed_item(const std::string& id) {
  Item item;
  item.dataset = "nq";
  item.id = id;
  item.question = "Who?";
  item.answers = {"Ada"};
  return item;
}

inline Item open_item(const std::string& id) {
  Item item = closed_item(id);
  item.dataset = "squad";
  item.type = TaskType::open_book;
  item.metric = Metric::squad_v2;
  item.context = "Ada wrote it.";
  return item;
}

}  // namespace promptsweep
