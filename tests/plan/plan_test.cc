// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE plan
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "plan/make_plan.h"
#include "plan/slug.h"
#include "prompt/render.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

// Two models, eight prompt sets over one control, two items.
struct Sweep {
  TemporaryFolder folder;
  SweepConfig config;
  SelectionFacts selection;
  bool plugin_present = true;

  Sweep() {
    write(folder / "control.txt", "Be brief.\n");
    write(folder / "closed.txt", "Answer.\n");
    write(folder / "open.txt", "Answer from the passage.\n");
    config.file = folder / "sweep.yaml";
    config.closed_book_instructions = folder / "closed.txt";
    config.open_book_instructions = folder / "open.txt";
    for (const char* name : {"m1", "m2"}) {
      ModelEntry model;
      model.id = std::string("vendor/") + name;
      model.alias = name;
      model.backend = "echo";
      config.models.push_back(model);
    }
    for (int i = 0; i < 8; ++i) {
      PromptSet set;
      set.name = "set" + std::to_string(i);
      set.control = folder / "control.txt";
      set.treatment = folder / (set.name + ".txt");
      write(set.treatment, "Treatment " + std::to_string(i));
      config.prompt_sets.push_back(set);
    }
    config.default_prompt_set = "set0";
    config.temps = {0.0};
    config.samples_per_item = {{"0", 1}};
    config.sweep = SweepGrid{};
    for (const PromptSet& set : config.prompt_sets) config.sweep->prompt_sets.push_back(set.name);
    config.effective_yaml = "x: 1\n";

    // "Why?" and, with "A passage.", an open-book question.
    selection.closed_book = {1, {1, 1, 1, 1}};
    selection.open_book = {1, {3, 3, 4, 4}};
    selection.items_sha256 = "abc";
  }

  Result<PlannedRun> plan(bool with_data = true) {
    PlanInputs inputs;
    inputs.config = &config;
    inputs.selection = with_data ? &selection : nullptr;
    inputs.answer_changing_options = [this](const ModelEntry& model) -> std::optional<std::string> {
      if (!plugin_present) return std::nullopt;
      return model.backend_options_json;
    };
    inputs.run_id = "r1";
    return make_plan(inputs);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(eight_sets_over_one_control_are_nine_arms_a_model) {
  Sweep sweep;
  const Result<PlannedRun> planned = sweep.plan();
  BOOST_REQUIRE(planned);
  BOOST_TEST(planned->plan.trials.size() == 16u);
  BOOST_TEST(planned->plan.arms.size() == 18u);
  BOOST_TEST(planned->requests == 36);
  BOOST_TEST(planned->shared_controls == 2);
  BOOST_TEST(planned->requests_saved_by_sharing == 2 * 7 * 2);
  BOOST_TEST(planned->ids_known);
}

BOOST_AUTO_TEST_CASE(controls_lie_in_shared_controls_and_treatments_in_their_trial) {
  Sweep sweep;
  const Result<PlannedRun> planned = sweep.plan();
  BOOST_REQUIRE(planned);
  std::set<std::string> paths;
  for (const ArmSpec& arm : planned->plan.arms) {
    BOOST_TEST(paths.insert(arm.store_path).second);
    if (arm.condition == Condition::control) {
      BOOST_TEST(arm.store_path == "shared_controls/" + arm.arm_id + "/arm.sqlite");
    } else {
      BOOST_TEST(arm.store_path.find("/arms/" + arm.arm_id + "/arm.sqlite") != std::string::npos);
    }
  }
}

// D10: an edited prompt under the same run id is another arm and another trial, not a stale skip.
BOOST_AUTO_TEST_CASE(an_edited_prompt_is_a_new_arm) {
  Sweep sweep;
  const Result<PlannedRun> before = sweep.plan();
  write(sweep.folder / "set3.txt", "Treatment 3, edited");
  const Result<PlannedRun> after = sweep.plan();
  BOOST_REQUIRE(before);
  BOOST_REQUIRE(after);
  for (std::size_t i = 0; i < before->plan.trials.size(); ++i) {
    const bool edited = before->plan.trials[i].prompt_set == "set3";
    BOOST_TEST((before->plan.trials[i].slug != after->plan.trials[i].slug) == edited);
    BOOST_TEST(before->plan.trials[i].pairs[0].control_arm_id ==
               after->plan.trials[i].pairs[0].control_arm_id);
  }
}

// Trailing white space is not sent, so it is no other arm.
BOOST_AUTO_TEST_CASE(trailing_space_in_a_prompt_file_changes_nothing) {
  Sweep sweep;
  const Result<PlannedRun> before = sweep.plan();
  write(sweep.folder / "control.txt", "Be brief.  \n\n");
  const Result<PlannedRun> after = sweep.plan();
  BOOST_REQUIRE(before);
  BOOST_REQUIRE(after);
  BOOST_TEST(before->plan.arms[0].arm_id == after->plan.arms[0].arm_id);
}

// D12: trials that differ in temperature or K only never share a folder; .2 and .25 are two labels.
BOOST_AUTO_TEST_CASE(temperatures_and_samples_tell_trials_apart) {
  Sweep sweep;
  sweep.config.sweep.reset();
  std::set<std::string> slugs;
  std::set<std::string> arms;
  for (const std::vector<double>& temps : {std::vector<double>{0.2}, {0.25}, {0.2, 0.25}}) {
    for (int k : {1, 3}) {
      sweep.config.temps = temps;
      sweep.config.samples_per_item = {{"0.2", k}, {"0.25", k}};
      const Result<PlannedRun> planned = sweep.plan();
      BOOST_REQUIRE(planned);
      BOOST_TEST(slugs.insert(planned->plan.trials[0].slug).second);
      for (const ArmSpec& arm : planned->plan.arms) arms.insert(arm.arm_id);
    }
  }
  // 2 models x 2 temperatures x 2 K x 2 conditions, whichever trials use them.
  BOOST_TEST(arms.size() == 16u);
}

BOOST_AUTO_TEST_CASE(every_setting_that_changes_answers_changes_the_arm) {
  Sweep sweep;
  sweep.config.temps = {0.7};
  sweep.config.samples_per_item = {{"0.7", 1}};
  std::set<std::string> ids;
  const auto add = [&] {
    const Result<PlannedRun> planned = sweep.plan();
    BOOST_REQUIRE(planned);
    BOOST_TEST(ids.insert(planned->plan.arms[0].arm_id).second);
  };
  add();
  sweep.config.top_p = 0.9;
  add();
  sweep.config.top_k = 7;
  add();
  sweep.config.max_new_tokens.closed_book = 5;
  add();
  sweep.config.stop = {"\n"};
  add();
  sweep.config.seed = 2;
  add();
  sweep.config.models[0].backend_options_json = R"({"style":"b"})";
  add();
  sweep.selection.items_sha256 = "def";
  add();
  write(sweep.folder / "open.txt", "Other instructions.");
  add();
}

BOOST_AUTO_TEST_CASE(the_seed_is_no_part_of_a_greedy_arm) {
  Sweep sweep;
  const Result<PlannedRun> before = sweep.plan();
  sweep.config.seed = 99;
  const Result<PlannedRun> after = sweep.plan();
  BOOST_REQUIRE(before);
  BOOST_REQUIRE(after);
  BOOST_TEST(before->plan.arms[0].arm_id == after->plan.arms[0].arm_id);
}

BOOST_AUTO_TEST_CASE(an_a_a_trial_has_two_arms) {
  Sweep sweep;
  sweep.config.sweep.reset();
  sweep.config.models.pop_back();
  sweep.config.prompt_sets[0].treatment = sweep.config.prompt_sets[0].control;
  const Result<PlannedRun> planned = sweep.plan();
  BOOST_REQUIRE(planned);
  BOOST_REQUIRE(planned->plan.arms.size() == 2u);
  BOOST_TEST(planned->plan.arms[0].arm_id != planned->plan.arms[1].arm_id);
  BOOST_TEST(planned->plan.arms[0].salt.empty());
  BOOST_TEST(!planned->plan.arms[1].salt.empty());
}

BOOST_AUTO_TEST_CASE(without_plugin_or_data_ids_are_pending_and_trials_still_listed) {
  Sweep sweep;
  sweep.plugin_present = false;
  for (bool data : {false, true}) {
    const Result<PlannedRun> planned = sweep.plan(data);
    BOOST_REQUIRE(planned);
    BOOST_TEST(!planned->ids_known);
    BOOST_TEST(planned->plan.trials.size() == 16u);
    BOOST_TEST(planned->plan.arms.size() == 18u);
    BOOST_TEST(planned->plan.trials[0].slug == "m1-set0-tp1-tk50-mx1024-1024");
  }
}

BOOST_AUTO_TEST_CASE(one_condition_plans_one_side) {
  Sweep sweep;
  sweep.config.condition = "treatment";
  const Result<PlannedRun> planned = sweep.plan();
  BOOST_REQUIRE(planned);
  BOOST_TEST(planned->plan.arms.size() == 16u);
  BOOST_TEST(planned->plan.trials[0].pairs[0].control_arm_id.empty());
}

BOOST_AUTO_TEST_CASE(the_same_trial_twice_is_an_error) {
  Sweep sweep;
  sweep.config.trials.resize(2);
  sweep.config.trials[0].model = sweep.config.trials[1].model = "m1";
  const Result<PlannedRun> planned = sweep.plan();
  BOOST_REQUIRE(!planned);
  BOOST_TEST((planned.error().code == Code::invalid_input));
}

BOOST_AUTO_TEST_CASE(a_missing_prompt_file_is_named) {
  Sweep sweep;
  sweep.config.prompt_sets[2].treatment = sweep.folder / "nowhere.txt";
  const Result<PlannedRun> planned = sweep.plan();
  BOOST_REQUIRE(!planned);
  BOOST_TEST(planned.error().text.find("nowhere.txt") != std::string::npos);
  BOOST_TEST(planned.error().text.find("set2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(slugs_are_legal_on_windows) {
  ModelEntry model;
  model.alias = "a:b<c>d\"e|f?g*h/i\\j ";
  PromptSet set;
  set.name = std::string(300, 'x');
  Cell cell;
  cell.model = &model;
  cell.prompt_set = &set;
  const std::string slug = trial_slug(cell, "abcdefgh");
  BOOST_TEST(slug.find_first_of(":<>\"|?*/\\ ") == std::string::npos);
  BOOST_TEST(slug.size() <= 90u);
  BOOST_TEST(slug.ends_with("-abcdefgh"));
  // With the run folder, the arm's folder and a job file below it, still under 200 characters.
  BOOST_TEST(slug.size() + std::string("/arms//jobs/.jsonl").size() + 2 * 26 < 200u);
}

// The sums of a selection give what adding up the items one by one gives.
BOOST_FIXTURE_TEST_CASE(estimates_add_up_the_items, Sweep) {
  DatasetFile file;
  file.items = std::make_shared<ItemSpool>();
  std::vector<Item> items;
  for (int i = 0; i < 50; ++i) {
    Item item;
    item.dataset = "d";
    item.id = std::to_string(i);
    item.question = std::string(static_cast<std::size_t>(i % 7), 'q') + "\u00e9?";
    item.type = i % 3 == 0 ? TaskType::open_book : TaskType::closed_book;
    if (i % 3 == 0) item.context = std::string(static_cast<std::size_t>(i), 'c');
    BOOST_REQUIRE(file.items->append(item));
    items.push_back(item);
  }
  selection = select_items({file}, {}).value().facts;
  for (const char* instructions : {"Answer.", "Answer it.", "Answer now.", "Answer, now"}) {
    write(folder / "closed.txt", instructions);
    write(folder / "open.txt", std::string(instructions) + "?");
    const PlannedRun planned = plan().value();
    const ArmSpec& arm = planned.plan.arms.at(0);
    std::int64_t tokens = 0;
    for (const Item& item : items) {
      tokens +=
          estimate_tokens(arm.system_prompt) + estimate_tokens(user_turn(arm.instructions, item));
    }
    BOOST_TEST(planned.estimates.at(0).prompt_tokens == tokens);
    BOOST_TEST(planned.estimates.at(0).requests == 50);
  }
}
