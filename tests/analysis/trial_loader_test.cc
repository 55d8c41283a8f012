// SPDX-License-Identifier: Apache-2.0
// Findings from real stores.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <memory>

#include "analysis/analyze.h"
#include "store/arm_store.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

template <class T>
T value_of(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(static_cast<bool>(result), (result ? std::string() : result.error().text));
  return std::move(result).value();
}

std::vector<Item> some_items() {
  std::vector<Item> out;
  for (int i = 0; i < 4; ++i) {
    Item item;
    item.dataset = "nq";
    item.id = "q" + std::to_string(i);
    item.question = "?";
    out.push_back(item);
  }
  return out;
}

ArmSpec arm_spec(const std::string& id, Condition condition) {
  ArmSpec out;
  out.arm_id = id;
  out.identity_json = R"({"arm":")" + id + "\"}";
  out.engine_id = "e";
  out.condition = condition;
  out.system_prompt = "Be brief.";
  out.store_path = "shared_controls/" + id + "/arm.sqlite";
  out.request_count = 4;
  return out;
}

RunPlan some_plan() {
  RunPlan plan;
  plan.run_id = "r1";
  plan.effective_config = "models: [m]\n";
  plan.command_line_json = "[]";
  plan.items_sha256 = "items";
  plan.order = "blocked";
  plan.engines = {{"e", "echo", "m", R"({"n_parallel":2})", "auto"}};
  plan.arms = {arm_spec("control", Condition::control), arm_spec("one", Condition::treatment),
               arm_spec("two", Condition::treatment)};
  for (const char* slug : {"one", "two"}) {
    TrialSpec trial;
    trial.slug = slug;
    trial.engine_id = "e";
    trial.pairs = {{0.0, "control", slug}};
    plan.trials.push_back(trial);
  }
  return plan;
}

// Item i of the arm has outcome outcomes[i]; ok answers are right.
void fill(RunStore& run, const ArmSpec& spec, const std::vector<Outcome>& outcomes) {
  auto store = value_of(run.open_arm(spec));
  const std::vector<Item> items = some_items();
  std::vector<RequestRow> requests;
  for (const Item& item : items) {
    RequestRow row;
    row.item_key = item_key(item);
    row.request_id = spec.arm_id + item.id;
    row.custom_id = row.item_key + "|x|0|0|closed";
    requests.push_back(row);
  }
  value_of(store->initialise(spec, requests));
  value_of(store->record_engine_identity(R"({"build":"7"})"));
  std::vector<std::pair<std::string, Score>> scores;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ResultRow row;
    row.request_id = requests[i].request_id;
    row.outcome = outcomes[i];
    row.prompt_tokens = 40;
    row.completion_tokens = 4;
    row.seed_honoured = true;
    value_of(store->put_result(row));
    if (outcomes[i] == Outcome::ok) {
      Score score;
      score.em = 1;
      scores.emplace_back(row.request_id, score);
    }
  }
  value_of(store->flush());
  value_of(store->put_scores("rules", scores));
}

std::ptrdiff_t scored(const ArmData& arm, ItemSums ItemCell::*sums) {
  return std::count_if(arm.cells.begin(), arm.cells.end(),
                       [&](const ItemCell& cell) { return (cell.*sums).scored(); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(trial_loader_suite)

BOOST_AUTO_TEST_CASE(trials_are_read_from_the_stores) {
  const TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  value_of(run->write_plan(some_plan(), ItemList(some_items()), false));
  const RunPlan plan = value_of(run->plan());
  fill(*run, *find_arm(plan, "control"),
       {Outcome::ok, Outcome::ok, Outcome::error_request, Outcome::error_timeout});
  fill(*run, *find_arm(plan, "one"), {Outcome::ok, Outcome::truncated, Outcome::ok, Outcome::ok});

  TrialLoader loader(*run, plan, AnalysisOptions{});
  const TrialData data = value_of(loader.load(plan.trials.at(0)));
  BOOST_TEST(data.order == "blocked");
  BOOST_TEST(data.options_json == R"({"n_parallel":2})");
  BOOST_TEST_REQUIRE(data.pairs.size() == 1u);
  const ArmData& control = *data.pairs[0].control;
  BOOST_TEST(!control.complete);  // a timeout is no accepted result
  BOOST_TEST(control.engine_identity == R"({"build":"7"})");
  BOOST_TEST(scored(control, &ItemCell::primary) == 2);
  BOOST_TEST(control.usage.prompt_tokens == 120);
  BOOST_TEST(control.seed_honoured == 3);
  BOOST_TEST_REQUIRE(control.cells.size() == 4u);
  BOOST_TEST(control.items->datasets.at(control.items->items[0].dataset) == "nq");
  BOOST_TEST((control.cells[2].reason == Outcome::error_request));
  BOOST_TEST((control.cells[3].reason == Outcome::missing));
  BOOST_TEST(control.requests.at({TaskType::closed_book, 0}).at(Outcome::missing) == 1);
  const ArmData& treatment = *data.pairs[0].treatment;
  BOOST_TEST(treatment.complete);
  BOOST_TEST(scored(treatment, &ItemCell::primary) == 3);
  BOOST_TEST(scored(treatment, &ItemCell::other) == 4);
  BOOST_TEST((treatment.items == control.items));  // one table for all arms of a plan

  const TrialFindings found = analyze_trial(data, AnalysisOptions{});
  BOOST_TEST(found.temperatures[0].blocks[0].n_pairs == 1);
  BOOST_TEST(!found.complete);

  // The second trial shares the control, and its own arm has not run.
  const TrialData second = value_of(loader.load(plan.trials.at(1)));
  BOOST_TEST(second.pairs[0].control.get() == &control);
  BOOST_TEST(second.pairs[0].treatment->cells.empty());
  BOOST_TEST(!second.pairs[0].treatment->complete);
  BOOST_TEST(value_of(loader.usage()).size() == 2u);
}

// D15: statistics that could not be made became an empty file for ever. Here they are an error.
BOOST_AUTO_TEST_CASE(answers_without_scores_are_an_error_and_no_findings) {
  const TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  value_of(run->write_plan(some_plan(), ItemList(some_items()), false));
  const RunPlan plan = value_of(run->plan());
  fill(*run, *find_arm(plan, "control"), {Outcome::ok});
  {
    auto store = value_of(run->open_arm(*find_arm(plan, "control")));
    ResultRow row;
    row.request_id = "controlq1";
    row.outcome = Outcome::ok;
    value_of(store->put_result(row));
    value_of(store->flush());
  }
  TrialLoader loader(*run, plan, AnalysisOptions{});
  const Result<TrialData> data = loader.load(plan.trials.at(0));
  BOOST_REQUIRE(!data);
  BOOST_TEST((data.error().code == Code::state));
  BOOST_TEST(data.error().text.find("trial one: arm control: ") == 0u);

  // Who compares runs that were cut off asks for what is scored.
  TrialLoader lenient(*run, plan, AnalysisOptions{}, LoadFor::comparison);
  const TrialData seen = value_of(lenient.load(plan.trials.at(0)));
  const ArmData& control = *seen.pairs[0].control;
  const auto scored = [](const ItemCell& cell) { return cell.primary.scored(); };
  BOOST_TEST(std::count_if(control.cells.begin(), control.cells.end(), scored) == 1);
  BOOST_TEST(control.items->keys.size() == 4u);
}

// An arm is held while a later trial needs it and no longer.
BOOST_AUTO_TEST_CASE(an_arm_is_let_go_with_its_last_trial) {
  const TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  value_of(run->write_plan(some_plan(), ItemList(some_items()), false));
  const RunPlan plan = value_of(run->plan());
  for (const char* arm : {"control", "one", "two"}) {
    fill(*run, *find_arm(plan, arm), std::vector<Outcome>(4, Outcome::ok));
  }
  TrialLoader loader(*run, plan, AnalysisOptions{});
  std::weak_ptr<const ArmData> control, one;
  {
    const TrialData data = value_of(loader.load(plan.trials.at(0)));
    control = data.pairs[0].control;
    one = data.pairs[0].treatment;
  }
  BOOST_TEST(!control.expired());
  BOOST_TEST(one.expired());
  static_cast<void>(value_of(loader.load(plan.trials.at(1))));
  BOOST_TEST(control.expired());
  BOOST_TEST(value_of(loader.usage()).size() == 3u);
  static_assert(sizeof(ItemCell) <= 64 - sizeof(ItemTable::Entry));
}

BOOST_AUTO_TEST_SUITE_END()
