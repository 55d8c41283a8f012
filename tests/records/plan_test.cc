// SPDX-License-Identifier: Apache-2.0
#include "records/plan.h"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <nlohmann/json.hpp>

using namespace promptsweep;
using nlohmann::json;

namespace {

ArmSpec full_arm(const std::string& id, Condition condition) {
  ArmSpec arm;
  arm.arm_id = id;
  arm.identity_json = R"({"k":"v"})";
  arm.engine_id = "engine1";
  arm.condition = condition;
  arm.prompt_set = "set";
  arm.system_prompt = "Be \"brief\".\n";
  arm.system_prompt_path = "prompts/a.txt";
  arm.system_prompt_sha256 = "00ff";
  arm.instructions = {"closed instructions", "open instructions"};
  arm.decoding.temperature = 0.7;
  arm.decoding.top_p = 0.9;
  arm.decoding.top_k = 40;
  arm.decoding.max_new_tokens = {64, 128};
  arm.decoding.stop = {"\n\n", "END"};
  arm.decoding.samples_per_item = 5;
  arm.decoding.seed = 0xfedcba9876543210u;
  arm.salt = "aa";
  arm.store_path = "arms/" + id + "/arm.sqlite";
  arm.request_count = 12'500;
  return arm;
}

RunPlan full_plan() {
  RunPlan plan;
  plan.run_id = "run";
  plan.config_sha256 = "c0";
  plan.effective_config = "a: 1\n";
  plan.command_line_json = R"(["run"])";
  plan.engines = {{"engine1", "echo", "org/model", R"({"x":1})", "process"}};
  plan.arms = {full_arm("arm1", Condition::control), full_arm("arm2", Condition::treatment)};
  TrialSpec trial;
  trial.slug = "slug";
  trial.user_id = "user";
  trial.engine_id = "engine1";
  trial.backend = "echo";
  trial.model = "org/model";
  trial.model_alias = "model";
  trial.prompt_set = "set";
  trial.top_p = 0.5;
  trial.top_k = 3;
  trial.max_new_tokens = {64, 128};
  trial.pairs = {{0.7, "arm1", "arm2"}, {1.0, "", "arm2"}};
  plan.trials = {trial};
  plan.blocks = {{"arm1", TaskType::closed_book, 0, 200}, {"arm2", TaskType::open_book, 200, 50}};
  plan.items_sha256 = "d1";
  plan.order = "interleaved";
  return plan;
}

using Edit = std::function<void(RunPlan&)>;

// One edit for each field of each record.
const std::vector<std::pair<const char*, Edit>> edits{
    {"run_id", [](RunPlan& p) { p.run_id += "x"; }},
    {"config_sha256", [](RunPlan& p) { p.config_sha256 += "x"; }},
    {"effective_config", [](RunPlan& p) { p.effective_config += "x"; }},
    {"command_line_json", [](RunPlan& p) { p.command_line_json += "x"; }},
    {"invocation_json", [](RunPlan& p) { p.invocation_json += "x"; }},
    {"items_sha256", [](RunPlan& p) { p.items_sha256 += "x"; }},
    {"order", [](RunPlan& p) { p.order = "blocked"; }},
    {"engines", [](RunPlan& p) { p.engines.clear(); }},
    {"engine.engine_id", [](RunPlan& p) { p.engines[0].engine_id += "x"; }},
    {"engine.backend", [](RunPlan& p) { p.engines[0].backend += "x"; }},
    {"engine.model", [](RunPlan& p) { p.engines[0].model += "x"; }},
    {"engine.options_json", [](RunPlan& p) { p.engines[0].options_json += "x"; }},
    {"engine.isolation", [](RunPlan& p) { p.engines[0].isolation += "x"; }},
    {"arms", [](RunPlan& p) { p.arms.pop_back(); }},
    {"arm.arm_id", [](RunPlan& p) { p.arms[1].arm_id += "x"; }},
    {"arm.identity_json", [](RunPlan& p) { p.arms[1].identity_json += "x"; }},
    {"arm.engine_id", [](RunPlan& p) { p.arms[1].engine_id += "x"; }},
    {"arm.condition", [](RunPlan& p) { p.arms[1].condition = Condition::control; }},
    {"arm.prompt_set", [](RunPlan& p) { p.arms[1].prompt_set += "x"; }},
    {"arm.system_prompt", [](RunPlan& p) { p.arms[1].system_prompt += "x"; }},
    {"arm.system_prompt_path", [](RunPlan& p) { p.arms[1].system_prompt_path += "x"; }},
    {"arm.system_prompt_sha256", [](RunPlan& p) { p.arms[1].system_prompt_sha256 += "x"; }},
    {"arm.instructions.closed", [](RunPlan& p) { p.arms[1].instructions.closed_book += "x"; }},
    {"arm.instructions.open", [](RunPlan& p) { p.arms[1].instructions.open_book += "x"; }},
    {"arm.temperature", [](RunPlan& p) { p.arms[1].decoding.temperature = 0.1 + 0.2; }},
    {"arm.top_p", [](RunPlan& p) { p.arms[1].decoding.top_p.reset(); }},
    {"arm.top_k", [](RunPlan& p) { p.arms[1].decoding.top_k.reset(); }},
    {"arm.max.closed", [](RunPlan& p) { p.arms[1].decoding.max_new_tokens.closed_book = 1; }},
    {"arm.max.open", [](RunPlan& p) { p.arms[1].decoding.max_new_tokens.open_book = 1; }},
    {"arm.stop", [](RunPlan& p) { p.arms[1].decoding.stop.pop_back(); }},
    {"arm.samples", [](RunPlan& p) { p.arms[1].decoding.samples_per_item = 1; }},
    {"arm.seed", [](RunPlan& p) { p.arms[1].decoding.seed = 1; }},
    {"arm.salt", [](RunPlan& p) { p.arms[1].salt.clear(); }},
    {"arm.store_path", [](RunPlan& p) { p.arms[1].store_path += "x"; }},
    {"arm.request_count", [](RunPlan& p) { p.arms[1].request_count = std::int64_t{1} << 40; }},
    {"trials", [](RunPlan& p) { p.trials.clear(); }},
    {"trial.slug", [](RunPlan& p) { p.trials[0].slug += "x"; }},
    {"trial.user_id", [](RunPlan& p) { p.trials[0].user_id += "x"; }},
    {"trial.engine_id", [](RunPlan& p) { p.trials[0].engine_id += "x"; }},
    {"trial.backend", [](RunPlan& p) { p.trials[0].backend += "x"; }},
    {"trial.model", [](RunPlan& p) { p.trials[0].model += "x"; }},
    {"trial.model_alias", [](RunPlan& p) { p.trials[0].model_alias += "x"; }},
    {"trial.prompt_set", [](RunPlan& p) { p.trials[0].prompt_set += "x"; }},
    {"trial.top_p", [](RunPlan& p) { p.trials[0].top_p.reset(); }},
    {"trial.top_k", [](RunPlan& p) { p.trials[0].top_k.reset(); }},
    {"trial.max.closed", [](RunPlan& p) { p.trials[0].max_new_tokens.closed_book = 1; }},
    {"trial.max.open", [](RunPlan& p) { p.trials[0].max_new_tokens.open_book = 1; }},
    {"trial.pairs", [](RunPlan& p) { p.trials[0].pairs.pop_back(); }},
    {"pair.temperature", [](RunPlan& p) { p.trials[0].pairs[0].temperature = 0.25; }},
    {"pair.control", [](RunPlan& p) { p.trials[0].pairs[0].control_arm_id += "x"; }},
    {"pair.treatment", [](RunPlan& p) { p.trials[0].pairs[0].treatment_arm_id += "x"; }},
    {"trial.superseded", [](RunPlan& p) { p.trials[0].superseded = true; }},
    {"blocks", [](RunPlan& p) { p.blocks.pop_back(); }},
    {"block.arm_id", [](RunPlan& p) { p.blocks[1].arm_id += "x"; }},
    {"block.type", [](RunPlan& p) { p.blocks[1].type = TaskType::closed_book; }},
    {"block.first", [](RunPlan& p) { p.blocks[1].first = 1; }},
    {"block.count", [](RunPlan& p) { p.blocks[1].count = 1; }}};

}  // namespace

BOOST_AUTO_TEST_SUITE(plans)

// A field that writing or reading loses gives the text of the plan before the edit.
BOOST_AUTO_TEST_CASE(json_keeps_every_field_of_a_plan) {
  const std::string base = to_json(full_plan());
  BOOST_TEST(to_json(run_plan_from_json(base).value()) == base);
  for (const auto& [field, edit] : edits) {
    RunPlan plan = full_plan();
    edit(plan);
    const std::optional<RunPlan> back = run_plan_from_json(to_json(plan));
    BOOST_TEST_REQUIRE(back.has_value(), field);
    BOOST_TEST(to_json(*back) == to_json(plan), field);
    BOOST_TEST(to_json(*back) != base, field);
  }
}

BOOST_AUTO_TEST_CASE(values_come_back_into_their_own_members) {
  const RunPlan plan = run_plan_from_json(to_json(full_plan())).value();
  BOOST_CHECK(plan.arms[0].decoding == full_plan().arms[0].decoding);
  BOOST_CHECK(plan.arms[0].instructions == full_plan().arms[0].instructions);
  BOOST_TEST(plan.engines[0].backend == "echo");
  BOOST_TEST(plan.engines[0].isolation == "process");
  BOOST_TEST(plan.trials[0].pairs[1].control_arm_id == "");
  BOOST_TEST(plan.trials[0].pairs[1].treatment_arm_id == "arm2");
  BOOST_TEST(plan.blocks[1].first == 200);
  BOOST_TEST(plan.blocks[1].count == 50);
  BOOST_REQUIRE(find_arm(plan, "arm2") != nullptr);
  BOOST_CHECK(find_arm(plan, "arm2")->condition == Condition::treatment);
  BOOST_TEST(find_arm(plan, "arm3") == nullptr);
  BOOST_TEST(find_engine(plan, "engine1") == &plan.engines[0]);
  BOOST_TEST(find_engine(plan, "") == nullptr);
}

BOOST_AUTO_TEST_CASE(parts_stand_alone) {
  const RunPlan plan = full_plan();
  BOOST_TEST(to_json(engine_spec_from_json(to_json(plan.engines[0])).value()) ==
             to_json(plan.engines[0]));
  BOOST_TEST(to_json(arm_spec_from_json(to_json(plan.arms[1])).value()) == to_json(plan.arms[1]));
  BOOST_TEST(to_json(trial_spec_from_json(to_json(plan.trials[0])).value()) ==
             to_json(plan.trials[0]));
}

BOOST_AUTO_TEST_CASE(a_damaged_document_is_no_plan) {
  const json whole = json::parse(to_json(full_plan()));
  for (const auto& [name, value] : whole.items()) {
    json part = whole;
    part.erase(name);
    BOOST_TEST(!run_plan_from_json(part.dump()), name);
  }
  for (const auto& [name, value] : whole["arms"][0].items()) {
    json part = whole["arms"][0];
    part.erase(name);
    BOOST_TEST(!arm_spec_from_json(part.dump()), name);
  }
  json unknown = whole;
  unknown["arms"][1]["condition"] = "placebo";
  BOOST_TEST(!run_plan_from_json(unknown.dump()));
  unknown = whole;
  unknown["blocks"][0][1] = "ajar";
  BOOST_TEST(!run_plan_from_json(unknown.dump()));
  const std::string text = whole.dump();
  BOOST_TEST(!run_plan_from_json(text.substr(0, text.size() - 1)));
  BOOST_TEST(!engine_spec_from_json("{}"));
  BOOST_TEST(!trial_spec_from_json("[]"));
}

BOOST_AUTO_TEST_SUITE_END()
