// SPDX-License-Identifier: Apache-2.0
#include "plan/arms.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "plan/make_plan.h"

namespace promptsweep {
namespace {

using nlohmann::json;

std::string identity_of(const ArmIngredients& from, const Decoding& d) {
  json decoding{
      {"temperature", d.temperature},
      {"top_p", d.top_p ? json(*d.top_p) : json()},
      {"top_k", d.top_k ? json(*d.top_k) : json()},
      {"max_new_tokens",
       {{"closed_book", d.max_new_tokens.closed_book}, {"open_book", d.max_new_tokens.open_book}}},
      {"stop", d.stop},
      {"samples_per_item", d.samples_per_item}};
  if (d.temperature > 0) decoding["seed"] = d.seed;
  return json{{"identity_version", 1},
              {"backend", from.cell->model->backend},
              {"model", from.cell->model->id},
              {"options", json::parse(*from.answer_options_json)},
              {"system_prompt_sha256", from.system_prompt->sha256},
              {"instructions_sha256",
               {{"closed_book", sha256_hex(from.instructions->closed_book)},
                {"open_book", sha256_hex(from.instructions->open_book)}}},
              {"items_sha256", *from.items_sha256},
              {"decoding", decoding},
              {"salt", from.salt}}
      .dump();
}

}  // namespace

ArmSpec make_arm(const ArmIngredients& from) {
  ArmSpec arm;
  arm.engine_id = from.engine_id;
  arm.condition = from.condition;
  arm.prompt_set = from.cell->prompt_set->name;
  arm.system_prompt = from.system_prompt->text;
  arm.system_prompt_path = from.system_prompt->path;
  arm.system_prompt_sha256 = from.system_prompt->sha256;
  arm.instructions = *from.instructions;
  arm.decoding.temperature = from.temperature;
  arm.decoding.top_p = from.cell->top_p;
  arm.decoding.top_k = from.cell->top_k;
  arm.decoding.max_new_tokens = from.cell->max_new_tokens;
  arm.decoding.stop = from.stop;
  arm.decoding.samples_per_item = from.samples_per_item;
  arm.decoding.seed = from.seed;
  arm.salt = from.salt;
  arm.arm_id = pending_id;
  if (from.answer_options_json && from.items_sha256) {
    arm.identity_json = identity_of(from, arm.decoding);
    arm.arm_id = content_id(arm.identity_json);
  }
  return arm;
}

}  // namespace promptsweep
