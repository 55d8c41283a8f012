// SPDX-License-Identifier: Apache-2.0
#include "records/plan.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace promptsweep {

using nlohmann::json;

namespace {

template <class T>
json nullable(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

template <class T>
std::optional<T> optional_from(const json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<T>();
}

// An enumerator by its name; an unknown name makes the whole document unreadable.
template <class Enum>
Enum named(const json& value, std::optional<Enum> (*from)(std::string_view)) {
  const std::optional<Enum> found = from(value.get_ref<const std::string&>());
  if (!found) throw std::invalid_argument("unknown name " + value.dump());
  return *found;
}

json limits_json(const TokenLimits& limits) {
  return {{"closed_book", limits.closed_book}, {"open_book", limits.open_book}};
}

TokenLimits limits_from(const json& value) {
  return {value.at("closed_book").get<int>(), value.at("open_book").get<int>()};
}

json decoding_json(const Decoding& d) {
  return {{"temperature", d.temperature},
          {"top_p", nullable(d.top_p)},
          {"top_k", nullable(d.top_k)},
          {"max_new_tokens", limits_json(d.max_new_tokens)},
          {"stop", d.stop},
          {"samples_per_item", d.samples_per_item},
          {"seed", d.seed}};
}

Decoding decoding_from(const json& value) {
  Decoding d;
  d.temperature = value.at("temperature");
  d.top_p = optional_from<double>(value.at("top_p"));
  d.top_k = optional_from<int>(value.at("top_k"));
  d.max_new_tokens = limits_from(value.at("max_new_tokens"));
  d.stop = value.at("stop").get<std::vector<std::string>>();
  d.samples_per_item = value.at("samples_per_item");
  d.seed = value.at("seed");
  return d;
}

json engine_json(const EngineSpec& e) {
  return {{"engine_id", e.engine_id},
          {"backend", e.backend},
          {"model", e.model},
          {"options_json", e.options_json},
          {"isolation", e.isolation}};
}

EngineSpec engine_from(const json& v) {
  return {v.at("engine_id"), v.at("backend"), v.at("model"), v.at("options_json"),
          v.at("isolation")};
}

json arm_json(const ArmSpec& a) {
  return {{"arm_id", a.arm_id},
          {"identity_json", a.identity_json},
          {"engine_id", a.engine_id},
          {"condition", to_string(a.condition)},
          {"prompt_set", a.prompt_set},
          {"system_prompt", a.system_prompt},
          {"system_prompt_path", a.system_prompt_path},
          {"system_prompt_sha256", a.system_prompt_sha256},
          {"instructions",
           {{"closed_book", a.instructions.closed_book}, {"open_book", a.instructions.open_book}}},
          {"decoding", decoding_json(a.decoding)},
          {"salt", a.salt},
          {"store_path", a.store_path},
          {"request_count", a.request_count}};
}

ArmSpec arm_from(const json& v) {
  ArmSpec a;
  a.arm_id = v.at("arm_id");
  a.identity_json = v.at("identity_json");
  a.engine_id = v.at("engine_id");
  a.condition = named(v.at("condition"), &condition_from);
  a.prompt_set = v.at("prompt_set");
  a.system_prompt = v.at("system_prompt");
  a.system_prompt_path = v.at("system_prompt_path");
  a.system_prompt_sha256 = v.at("system_prompt_sha256");
  a.instructions.closed_book = v.at("instructions").at("closed_book");
  a.instructions.open_book = v.at("instructions").at("open_book");
  a.decoding = decoding_from(v.at("decoding"));
  a.salt = v.at("salt");
  a.store_path = v.at("store_path");
  a.request_count = v.at("request_count");
  return a;
}

json trial_json(const TrialSpec& t) {
  json pairs = json::array();
  for (const ArmPair& p : t.pairs) {
    pairs.push_back({{"temperature", p.temperature},
                     {"control_arm_id", p.control_arm_id},
                     {"treatment_arm_id", p.treatment_arm_id}});
  }
  return {{"slug", t.slug},
          {"user_id", t.user_id},
          {"engine_id", t.engine_id},
          {"backend", t.backend},
          {"model", t.model},
          {"model_alias", t.model_alias},
          {"prompt_set", t.prompt_set},
          {"top_p", nullable(t.top_p)},
          {"top_k", nullable(t.top_k)},
          {"max_new_tokens", limits_json(t.max_new_tokens)},
          {"pairs", pairs},
          {"superseded", t.superseded}};
}

TrialSpec trial_from(const json& v) {
  TrialSpec t;
  t.slug = v.at("slug");
  t.user_id = v.at("user_id");
  t.engine_id = v.at("engine_id");
  t.backend = v.at("backend");
  t.model = v.at("model");
  t.model_alias = v.at("model_alias");
  t.prompt_set = v.at("prompt_set");
  t.top_p = optional_from<double>(v.at("top_p"));
  t.top_k = optional_from<int>(v.at("top_k"));
  t.max_new_tokens = limits_from(v.at("max_new_tokens"));
  for (const json& p : v.at("pairs")) {
    t.pairs.push_back({p.at("temperature"), p.at("control_arm_id"), p.at("treatment_arm_id")});
  }
  t.superseded = v.at("superseded");
  return t;
}

// nullopt where the text is no JSON, lacks a member or holds an unknown name.
template <class Spec>
std::optional<Spec> parsed(const std::string& text, Spec (*from)(const json&)) {
  try {
    return from(json::parse(text));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

bool is_dry_run(std::string_view run_id) { return run_id.starts_with(dry_run_prefix); }

std::string run_folder_name(std::string_view run_id) {
  return (is_dry_run(run_id) ? "" : "run_") + std::string(run_id);
}

const EngineSpec* find_engine(const RunPlan& plan, const std::string& engine_id) {
  for (const EngineSpec& engine : plan.engines) {
    if (engine.engine_id == engine_id) return &engine;
  }
  return nullptr;
}

const ArmSpec* find_arm(const RunPlan& plan, const std::string& arm_id) {
  for (const ArmSpec& arm : plan.arms) {
    if (arm.arm_id == arm_id) return &arm;
  }
  return nullptr;
}

std::string to_json(const RunPlan& plan) {
  json out{{"run_id", plan.run_id},
           {"config_sha256", plan.config_sha256},
           {"effective_config", plan.effective_config},
           {"command_line_json", plan.command_line_json},
           {"invocation_json", plan.invocation_json},
           {"items_sha256", plan.items_sha256},
           {"order", plan.order},
           {"engines", json::array()},
           {"arms", json::array()},
           {"trials", json::array()},
           {"blocks", json::array()}};
  for (const EngineSpec& engine : plan.engines) out["engines"].push_back(engine_json(engine));
  for (const ArmSpec& arm : plan.arms) out["arms"].push_back(arm_json(arm));
  for (const TrialSpec& trial : plan.trials) out["trials"].push_back(trial_json(trial));
  for (const Block& b : plan.blocks) {
    out["blocks"].push_back({b.arm_id, to_string(b.type), b.first, b.count});
  }
  return out.dump();
}

std::optional<RunPlan> run_plan_from_json(const std::string& text) {
  try {
    const json v = json::parse(text);
    RunPlan plan;
    plan.run_id = v.at("run_id");
    plan.config_sha256 = v.at("config_sha256");
    plan.effective_config = v.at("effective_config");
    plan.command_line_json = v.at("command_line_json");
    plan.invocation_json = v.at("invocation_json");
    plan.items_sha256 = v.at("items_sha256");
    plan.order = v.at("order");
    for (const json& e : v.at("engines")) plan.engines.push_back(engine_from(e));
    for (const json& a : v.at("arms")) plan.arms.push_back(arm_from(a));
    for (const json& t : v.at("trials")) plan.trials.push_back(trial_from(t));
    for (const json& b : v.at("blocks")) {
      plan.blocks.push_back({b.at(0), named(b.at(1), &task_type_from), b.at(2), b.at(3)});
    }
    return plan;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string to_json(const EngineSpec& engine) { return engine_json(engine).dump(); }
std::string to_json(const ArmSpec& arm) { return arm_json(arm).dump(); }
std::string to_json(const TrialSpec& trial) { return trial_json(trial).dump(); }

std::optional<EngineSpec> engine_spec_from_json(const std::string& text) {
  return parsed(text, &engine_from);
}
std::optional<ArmSpec> arm_spec_from_json(const std::string& text) {
  return parsed(text, &arm_from);
}
std::optional<TrialSpec> trial_spec_from_json(const std::string& text) {
  return parsed(text, &trial_from);
}

}  // namespace promptsweep
