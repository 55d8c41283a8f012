// SPDX-License-Identifier: Apache-2.0
#include "store/run_store.h"

#include <sys/wait.h>
#include <unistd.h>

#include "plan_fixture.h"
#include "store/arm_store.h"
#include "temporary_folder.h"

using namespace store_test;

BOOST_AUTO_TEST_SUITE(run_store)

BOOST_AUTO_TEST_CASE(a_plan_comes_back_as_it_was) {
  TemporaryFolder folder;
  const RunPlan plan = two_set_plan();
  {
    auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
    check_refused(run->plan(), Code::state, "no plan yet");
    BOOST_TEST(value_of(run->state()) == "incomplete");
    require_ok(run->write_plan(plan, two_item_list(), false));
  }
  auto run = value_of(RunStore::open_read_only(folder / "run_r1"));
  BOOST_TEST(to_json(value_of(run->plan())) == to_json(plan));
  BOOST_CHECK(read_all(run->items()) == two_items());
  BOOST_CHECK(read_all(run->items_of("control")) == two_items());
  check_refused(run->items_of("nobody"), Code::not_found, "nobody");
  check_refused(run->write_plan(plan, two_item_list(), false), Code::state, "reading only");
  check_refused(run->set_state("complete"), Code::state, "reading only");
  require_ok(run->verify());
}

BOOST_AUTO_TEST_CASE(planning_again_leaves_what_exists_alone) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  const RunPlan plan = two_set_plan();
  require_ok(run->write_plan(plan, two_item_list(), false));

  // One prompt set only, by a command line override: the other trial stays current.
  RunPlan part = plan;
  part.trials.pop_back();
  part.arms.pop_back();
  part.blocks.pop_back();
  part.arms[0].store_path = "elsewhere/arm.sqlite";
  part.command_line_json = R"(["run","--prompt_sets","a"])";
  require_ok(run->write_plan(part, two_item_list(), false));
  const RunPlan after = value_of(run->plan());
  BOOST_REQUIRE_EQUAL(after.trials.size(), 2U);
  BOOST_TEST(!after.trials[1].superseded);
  BOOST_TEST(after.arms.size() == 3U);
  BOOST_TEST(after.arms[0].store_path == plan.arms[0].store_path);
  BOOST_TEST(after.blocks.size() == part.blocks.size());
  BOOST_TEST(after.command_line_json == part.command_line_json);

  RunPlan other = plan;
  other.arms[1].identity_json = R"({"changed":true})";
  check_refused(run->write_plan(other, two_item_list(), false), Code::state, "was recorded as");
  other = plan;
  other.run_id = "r2";
  check_refused(run->write_plan(other, two_item_list(), false), Code::state, "holds the run r1");
  BOOST_TEST(to_json(value_of(run->plan())) == to_json(after));
}

BOOST_AUTO_TEST_CASE(a_trial_gains_the_side_that_it_lacked) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  const RunPlan plan = two_set_plan();
  RunPlan control_only = plan;
  for (TrialSpec& trial : control_only.trials) trial.pairs[0].treatment_arm_id.clear();
  require_ok(run->write_plan(control_only, two_item_list(), false));
  RunPlan treatment_only = plan;
  for (TrialSpec& trial : treatment_only.trials) trial.pairs[0].control_arm_id.clear();
  require_ok(run->write_plan(treatment_only, two_item_list(), false));
  BOOST_TEST(to_json(value_of(run->plan())) == to_json(plan));
  RunPlan swapped = plan;
  swapped.trials[0].pairs[0].treatment_arm_id = "arm_b";
  check_refused(run->write_plan(swapped, two_item_list(), false), Code::state,
                "was recorded with arm arm_a");
}

BOOST_AUTO_TEST_CASE(an_edit_supersedes_trials_and_keeps_the_old_items) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  const RunPlan plan = two_set_plan();
  require_ok(run->write_plan(plan, two_item_list(), false));

  RunPlan edited = plan;
  edited.items_sha256 = "items-2";
  for (ArmSpec& arm : edited.arms) {
    arm.arm_id += "_new";
    arm.store_path = "new/" + arm.arm_id + "/arm.sqlite";
  }
  for (TrialSpec& trial : edited.trials) {
    trial.slug += "-new";
    for (ArmPair& pair : trial.pairs) {
      pair.control_arm_id += "_new";
      pair.treatment_arm_id += "_new";
    }
  }
  for (Block& block : edited.blocks) block.arm_id += "_new";
  const std::vector<Item> items{item(7)};
  check_refused(run->write_plan(edited, ItemList(items), false), Code::state,
                "not the ones pinned");
  require_ok(run->write_plan(edited, ItemList(items), true));
  RunPlan after = value_of(run->plan());
  BOOST_REQUIRE_EQUAL(after.trials.size(), 4U);
  BOOST_TEST(after.trials[0].slug == "m-a-new");
  BOOST_TEST(!after.trials[0].superseded);
  BOOST_TEST(after.trials[2].slug == "m-a");
  BOOST_TEST(after.trials[2].superseded);
  BOOST_TEST(after.arms.size() == 6U);
  BOOST_CHECK(read_all(run->items()) == items);
  BOOST_CHECK(read_all(run->items_of("control_new")) == items);
  BOOST_CHECK(read_all(run->items_of("control")) == two_items());

  // The edit is taken back: the first trials count again.
  require_ok(run->write_plan(plan, two_item_list(), true));
  after = value_of(run->plan());
  BOOST_TEST(after.trials[0].slug == "m-a");
  BOOST_TEST(!after.trials[0].superseded);
  BOOST_TEST(after.trials[2].superseded);
  check_refused(run->write_plan(plan, ItemList(items), true), Code::state, "2 items are pinned");
  require_ok(run->verify());
}

BOOST_AUTO_TEST_CASE(plans_that_cannot_be_folders_are_refused) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  const RunPlan plan = two_set_plan();
  const auto refused = [&](auto change, const std::string& says) {
    RunPlan bad = plan;
    change(bad);
    check_refused(run->write_plan(bad, two_item_list(), true), Code::state, says);
  };
  refused([](RunPlan& p) { p.trials[1].slug = "M-A"; }, "upper and lower case only");
  refused([](RunPlan& p) { p.trials[1].slug = "m-a"; }, "two trials m-a");
  refused([](RunPlan& p) { p.trials[1].slug = "../m"; }, "no folder name");
  refused([](RunPlan& p) { p.trials[1].slug = "x/m"; }, "no folder name");
  refused([](RunPlan& p) { p.arms[0].arm_id = "pending"; }, "without an id");
  refused([](RunPlan& p) { p.arms[0].store_path = "../../arm.sqlite"; }, "within the run folder");
  refused([](RunPlan& p) { p.arms[0].store_path = "/arm.sqlite"; }, "within the run folder");
  refused([](RunPlan& p) { p.arms[1].store_path = p.arms[0].store_path; }, "two arms at");
  refused([](RunPlan& p) { p.arms[1].arm_id = p.arms[0].arm_id; }, "twice");
  refused([](RunPlan& p) { p.trials[0].pairs[0].control_arm_id = "x"; }, "unknown arm x");
  refused([](RunPlan& p) { p.blocks[0].arm_id = "x"; }, "unknown arm x");
  refused([](RunPlan& p) { p.arms[0].engine_id = "x"; }, "unknown engine x");
  RunPlan not_utf8 = plan;
  not_utf8.arms[0].system_prompt = "\xFF";
  check_refused(run->write_plan(not_utf8, two_item_list(), true), Code::data, "cannot be stored");
  check_refused(run->plan(), Code::state, "no plan yet");

  // Also against a folder that an earlier plan made.
  require_ok(run->write_plan(plan, two_item_list(), false));
  refused([](RunPlan& p) { p.trials[0].slug = "M-A"; }, "upper and lower case only");
}

BOOST_AUTO_TEST_CASE(phases_and_state_are_kept) {
  TemporaryFolder folder;
  {
    auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
    BOOST_CHECK(!value_of(run->phase("parse", "m-a")));
    require_ok(
        run->record_phase({"parse", "m-a", "h1", R"({"p.csv":"1"})", "2026-05-04T00:00:00Z"}));
    require_ok(
        run->record_phase({"parse", "m-a", "h2", R"({"p.csv":"2"})", "2026-05-05T00:00:00Z"}));
    require_ok(run->record_phase({"build", "run", "h", "{}", "2026-05-03T00:00:00Z"}));
    require_ok(run->set_state("complete"));
    check_refused(run->set_state("finished"), Code::internal, "no state of a run");
  }
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  BOOST_TEST(value_of(run->state()) == "complete");
  const auto record = value_of(run->phase("parse", "m-a"));
  BOOST_REQUIRE(record.has_value());
  BOOST_TEST(record->input_hash == "h2");
  BOOST_TEST(record->outputs_json == R"({"p.csv":"2"})");
  BOOST_TEST(record->finished_at == "2026-05-05T00:00:00Z");
  const auto all = value_of(run->phases());
  BOOST_REQUIRE_EQUAL(all.size(), 2U);
  BOOST_TEST(all[0].phase == "build");
}

BOOST_AUTO_TEST_CASE(arms_open_where_the_plan_put_them) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  const RunPlan plan = two_set_plan();
  require_ok(run->write_plan(plan, two_item_list(), false));
  check_refused(run->open_arm_read_only(plan.arms[0]), Code::not_found, "no arm store");
  {
    auto arm = value_of(run->open_arm(plan.arms[0]));
    require_ok(arm->initialise(plan.arms[0], request_rows(2)));
  }
  BOOST_TEST(std::filesystem::exists(folder / "run_r1" / plan.arms[0].store_path));
  BOOST_TEST(value_of(value_of(run->open_arm_read_only(plan.arms[0]))->progress()).expected == 2);
  check_refused(run->open_arm(arm_spec("stranger")), Code::not_found, "stranger");
}

BOOST_AUTO_TEST_CASE(a_second_writer_is_told_who_writes) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  int ready[2], done[2];
  BOOST_REQUIRE_EQUAL(::pipe(ready), 0);
  BOOST_REQUIRE_EQUAL(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto run = RunStore::open_for_writing(path);
    char byte = run ? '1' : '0';
    if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) != 1) ::_exit(2);
    ::_exit(0);  // the lock dies with its process
  }
  char byte = 0;
  BOOST_REQUIRE_EQUAL(::read(ready[0], &byte, 1), 1);
  BOOST_REQUIRE_EQUAL(byte, '1');
  check_refused(RunStore::open_for_writing(path), Code::state, "pid " + std::to_string(child));
  BOOST_TEST(value_of(value_of(RunStore::open_read_only(path))->state()) == "incomplete");
  BOOST_REQUIRE_EQUAL(::write(done[1], "x", 1), 1);
  int status = 0;
  BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  BOOST_TEST(status == 0);
  for (int descriptor : {ready[0], ready[1], done[0], done[1]}) ::close(descriptor);
  value_of(RunStore::open_for_writing(path));
}

BOOST_AUTO_TEST_SUITE_END()
