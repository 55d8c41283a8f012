// SPDX-License-Identifier: Apache-2.0
// A plan of two prompt sets over one control.
#pragma once

#include "fixtures.h"
#include "records/item_source.h"

namespace store_test {

inline std::vector<Item> two_items() { return {item(0), item(1, TaskType::open_book)}; }

inline ItemList two_item_list() { return ItemList(two_items()); }

// What a source gives, or a failed test.
inline std::vector<Item> read_all(Result<std::unique_ptr<ItemSource>> source) {
  return value_of(all_items(*value_of(std::move(source))));
}

inline TrialSpec trial(const std::string& slug, const std::string& treatment) {
  TrialSpec out;
  out.slug = slug;
  out.engine_id = "engine1";
  out.model = "m";
  out.prompt_set = slug;
  out.pairs = {{0.7, "control", treatment}};
  return out;
}

inline RunPlan two_set_plan() {
  RunPlan plan;
  plan.run_id = "r1";
  plan.config_sha256 = "c1";
  plan.effective_config = "models: [m]\n";
  plan.command_line_json = R"(["run"])";
  plan.items_sha256 = "items-1";
  plan.order = "interleaved";
  plan.engines = {{"engine1", "echo", "m", "{}", "auto"}};
  for (const char* id : {"control", "arm_a", "arm_b"}) {
    plan.arms.push_back(arm_spec(id, std::string(R"({"arm":")") + id + "\"}"));
    plan.blocks.push_back({id, TaskType::open_book, 0, 1});
  }
  plan.trials = {trial("m-a", "arm_a"), trial("m-b", "arm_b")};
  return plan;
}

}  // namespace store_test
