// SPDX-License-Identifier: Apache-2.0
#include "store/catalog.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "plan_fixture.h"
#include "store/removal.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

// The plan's arms with two requests each; `answered` of them have an answer.
void build(RunStore& run, const RunPlan& plan, int answered) {
  for (const ArmSpec& arm : plan.arms) {
    auto store = value_of(run.open_arm(arm));
    const auto rows = request_rows(2);
    require_ok(store->initialise(arm, rows));
    for (int i = 0; i < answered; ++i)
      require_ok(store->put_result(result_for(rows[static_cast<std::size_t>(i)].request_id)));
    require_ok(store->flush());
  }
}

RunPlan counted_plan() {
  RunPlan plan = two_set_plan();
  for (ArmSpec& arm : plan.arms) arm.request_count = 2;
  return plan;
}

// What an edit of prompt set b leaves: its treatment is arm_c of a new trial.
RunPlan edited_plan() {
  RunPlan plan = counted_plan();
  plan.config_sha256 = "c2";
  plan.arms[2] = arm_spec("arm_c", R"({"arm":"arm_c"})");
  plan.blocks[2].arm_id = "arm_c";
  plan.trials[1].slug = "m-b2";
  plan.trials[1].pairs[0].treatment_arm_id = "arm_c";
  return plan;
}

bool is_there(const std::filesystem::path& path) { return std::filesystem::exists(path); }

}  // namespace

BOOST_AUTO_TEST_SUITE(catalog)

BOOST_AUTO_TEST_CASE(the_catalogue_lists_newest_first_and_names_what_it_cannot_read) {
  TemporaryFolder folder;
  BOOST_TEST(value_of(list_runs(folder / "none")).empty());
  for (const char* name : {"run_r1", "run_r2"}) {
    auto run = value_of(RunStore::open_for_writing(folder / name));
    RunPlan plan = two_set_plan();
    plan.run_id = std::string(name).substr(4);
    require_ok(run->write_plan(plan, ItemList(two_items()), false));
    ::usleep(2000);
  }
  std::filesystem::create_directories(folder / "run_broken");
  require_ok(write_file_atomic(folder / "run_broken" / "run.sqlite", "not a database"));
  std::filesystem::create_directories(folder / "other");
  const auto runs = value_of(list_runs(folder.path()));
  BOOST_REQUIRE_EQUAL(runs.size(), 3U);
  BOOST_TEST(runs[0].run_id == "r2");
  BOOST_TEST(runs[0].state == "incomplete");
  BOOST_TEST(runs[0].config_sha256 == "c1");
  BOOST_TEST(runs[0].command_line_json == R"(["run"])");
  BOOST_TEST(runs[1].run_id == "r1");
  BOOST_TEST(runs[1].folder == folder / "run_r1");
  BOOST_TEST(runs[2].run_id == "broken");
  BOOST_TEST(runs[2].state == "unreadable");
  BOOST_TEST(runs[2].problem.find("run.sqlite") != std::string::npos);
  BOOST_TEST(value_of(read_file(folder / "run_broken" / "run.sqlite")) == "not a database");
}

BOOST_AUTO_TEST_CASE(a_run_is_found_by_id_by_folder_name_and_by_folder) {
  TemporaryFolder folder;
  {
    auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
    require_ok(run->write_plan(counted_plan(), ItemList(two_items()), false));
  }
  for (const std::string& name :
       {std::string("r1"), std::string("run_r1"), (folder / "run_r1").string(),
        (folder / "run_r1").string() + "/", (folder / "run_r1/../run_r1").string()}) {
    const RunSummary found = value_of(named_run(folder.path(), name));
    BOOST_TEST(found.run_id == "r1", name);
    BOOST_TEST(found.folder == folder / "run_r1", name);
    BOOST_TEST(found.state == "incomplete");
  }
  check_refused(named_run(folder.path(), "r2"), Code::invalid_input, "the newest are r1");
  check_refused(named_run(folder.path(), ""), Code::invalid_input, "there is no run");
  check_refused(named_run(folder.path(), folder.path().string()), Code::invalid_input,
                "no run's folder");
  BOOST_TEST(value_of(newest_run(folder.path())).run_id == "r1");
  check_refused(newest_run(folder / "none"), Code::invalid_input, "there is no run");
}

BOOST_AUTO_TEST_CASE(a_run_that_somebody_writes_is_running) {
  TemporaryFolder folder;
  {
    auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
    require_ok(run->write_plan(counted_plan(), ItemList(two_items()), false));
    const RunSummary found = value_of(named_run(folder.path(), "r1"));
    BOOST_TEST(found.shown_state() == "running");
    BOOST_TEST(found.writer.value().starts_with(process_note()));
    BOOST_TEST(found.state == "incomplete");
  }
  BOOST_TEST(value_of(named_run(folder.path(), "r1")).shown_state() == "incomplete");
}

// D39: what is done is counted, not guessed from a state that nobody set.
BOOST_AUTO_TEST_CASE(an_overview_counts_arms_trials_and_engines_once) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  RunPlan plan = counted_plan();
  require_ok(run->write_plan(plan, ItemList(two_items()), false));
  const auto look = [&] {
    return value_of(read_overview(value_of(named_run(folder.path(), "r1"))));
  };
  RunOverview before = look();
  BOOST_TEST(before.progress().expected == 6);
  BOOST_TEST(before.progress().accepted == 0);
  BOOST_TEST(!before.complete(before.plan.trials[0]));
  BOOST_TEST(!before.arms[0].started);

  build(*run, plan, 1);
  {
    auto store = value_of(run->open_arm(plan.arms[1]));
    JobRow job;
    job.job_id = "job1";
    job.requests_file = "jobs/job1.jsonl";
    job.resume_token = "remote-17";
    require_ok(store->record_job_intent(job, {value_of(store->pending())[0].request_id}));
    require_ok(store->record_job_submitted("job1"));
  }
  require_ok(run->record_phase({"score", "m-a", "h", "{}", "2026-01-01T00:00:00.000Z"}));
  RunOverview half = look();
  BOOST_TEST(half.progress().expected == 6);
  BOOST_TEST(half.progress().accepted == 3);
  BOOST_TEST(half.progress().in_jobs == 1);
  BOOST_TEST(half.progress_of(half.plan.trials[0]).expected == 4);
  BOOST_TEST(half.progress_of(half.plan.trials[0]).accepted == 2);
  BOOST_TEST(half.progress_of(half.plan.engines[0]).accepted == 3);
  BOOST_REQUIRE_EQUAL(half.find("arm_a")->open_jobs.size(), 1U);
  BOOST_TEST(half.find("arm_a")->open_jobs[0].resume_token == "remote-17");
  BOOST_TEST(half.find("arm_a")->open_jobs[0].state == "submitted");
  BOOST_REQUIRE_EQUAL(half.phases.size(), 1U);
  BOOST_TEST(half.phases[0].subject == "m-a");
  BOOST_REQUIRE_EQUAL(half.progress().outcomes.size(), 1U);
  BOOST_TEST(half.progress().outcomes[0].second == 3);

  // An arm that cannot be read does not hide the others.
  const auto damaged = folder / "run_r1" / plan.arms[2].store_path;
  require_ok(write_file_atomic(damaged, "not a database"));
  RunOverview torn = look();
  BOOST_REQUIRE_EQUAL(torn.damaged().size(), 1U);
  BOOST_TEST(torn.damaged()[0]->arm_id == "arm_b");
  BOOST_TEST(torn.progress().accepted == 2);
  BOOST_TEST(torn.progress().expected == 6);
}

BOOST_AUTO_TEST_CASE(superseded_trials_are_outside_the_counts) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  require_ok(run->write_plan(counted_plan(), ItemList(two_items()), false));
  build(*run, counted_plan(), 2);
  RunPlan edited = edited_plan();
  require_ok(run->write_plan(edited, ItemList(two_items()), true));
  const RunOverview seen = value_of(read_overview(value_of(named_run(folder.path(), "r1"))));
  BOOST_REQUIRE_EQUAL(seen.plan.trials.size(), 3U);
  BOOST_REQUIRE_EQUAL(seen.arms.size(), 4U);
  BOOST_TEST(!seen.find("arm_b")->live);
  BOOST_TEST(seen.find("control")->live);
  BOOST_TEST(seen.progress().accepted == 4);
}

BOOST_AUTO_TEST_CASE(a_plan_forgets_superseded_trials_and_keeps_shared_arms) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  auto run = value_of(RunStore::open_for_writing(path));
  require_ok(run->write_plan(counted_plan(), ItemList(two_items()), false));
  build(*run, counted_plan(), 2);
  require_ok(run->write_plan(edited_plan(), ItemList(two_items()), true));
  require_ok(run->record_phase({"score", "m-b", "h", "{}", "t"}));
  require_ok(run->record_phase({"score", "m-a", "h", "{}", "t"}));
  for (const char* slug : {"m-a", "m-b", "m-b2"})
    value_of(put_artifact(path / slug / "trial_manifest.json", "{}"));
  value_of(put_artifact(path / "logs" / "engine.log", "x"));

  const RunPlan kept = without_superseded(value_of(run->plan()));
  const auto gone = value_of(unplanned_paths(path, kept));
  BOOST_REQUIRE_EQUAL(gone.size(), 2U);
  BOOST_TEST(gone[0] == path / "m-b");
  BOOST_TEST(gone[1] == path / "shared_controls" / "arm_b");

  require_ok(run->forget_superseded());
  const RunPlan now = value_of(run->plan());
  BOOST_TEST(now.trials.size() == 2u);
  BOOST_TEST(now.arms.size() == 3u);
  BOOST_TEST(now.blocks.size() == 3u);
  BOOST_TEST(find_arm(now, "arm_b") == nullptr);
  BOOST_TEST(value_of(run->items_of("control"))->size() == 2u);
  BOOST_TEST(value_of(run->phases()).size() == 1u);
  for (const auto& one : gone) require_ok(remove_aside(one));
  BOOST_TEST(value_of(unplanned_paths(path, now)).empty());
  BOOST_TEST(is_there(path / "logs" / "engine.log"));
  BOOST_TEST(is_there(path / "m-a" / "trial_manifest.json"));
  BOOST_TEST(is_there(path / "shared_controls" / "control" / "arm.sqlite"));
}

// An edit of the control prompt gives a trial a new folder; its treatment arm stays where it was.
BOOST_AUTO_TEST_CASE(an_arm_that_lies_in_a_replaced_trial_stays) {
  TemporaryFolder folder;
  RunPlan plan = counted_plan();
  plan.arms[1].store_path = "m-old/arms/arm_a/arm.sqlite";
  for (const char* file : {"m-old/arms/arm_a/arm.sqlite", "m-old/arms/gone/arm.sqlite",
                           "m-old/results/costs.json", "m-old/trial_manifest.json", "notes/x"})
    require_ok(write_file_atomic(folder / file, "x"));
  const auto gone = value_of(unplanned_paths(folder.path(), plan));
  BOOST_REQUIRE_EQUAL(gone.size(), 3U);
  BOOST_TEST(gone[0] == folder / "m-old/results");
  BOOST_TEST(gone[1] == folder / "m-old/trial_manifest.json");
  BOOST_TEST(gone[2] == folder / "m-old/arms/gone");
}

BOOST_AUTO_TEST_CASE(what_is_removed_has_no_name_that_is_read) {
  TemporaryFolder folder;
  require_ok(write_file_atomic(folder / "run_a" / "x", "12345"));
  require_ok(write_file_atomic(folder / ".removing-run_a" / "y", "1"));  // of an earlier crash
  BOOST_TEST(value_of(size_on_disk(folder / "run_a")) == 5u);
  require_ok(remove_aside(folder / "run_a"));
  BOOST_TEST(!is_there(folder / "run_a"));
  const auto left = value_of(removal_leftovers(folder.path()));
  BOOST_REQUIRE_EQUAL(left.size(), 1U);
  BOOST_TEST(left[0] == folder / ".removing-run_a");
  require_ok(remove_aside(left[0]));
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(a_link_is_no_run_folder) {
  TemporaryFolder folder;
  require_ok(write_file_atomic(folder / "run_a" / "run.sqlite", "x"));
  std::filesystem::create_directory_symlink(folder / "run_a", folder / "run_b");
  BOOST_TEST(is_run_folder(folder / "run_a"));
  BOOST_TEST(!is_run_folder(folder / "run_b"));
  BOOST_TEST(!is_run_folder(folder.path()));
}

BOOST_AUTO_TEST_CASE(a_sealed_run_is_read_only_and_every_change_breaks_its_seal) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  const RunPlan plan = counted_plan();
  {
    auto run = value_of(RunStore::open_for_writing(path));
    require_ok(run->write_plan(plan, ItemList(two_items()), false));
    build(*run, plan, 2);
    value_of(put_artifact(path / "m-a" / "odd\\name\n", "# Report\n"));
    check_refused(check_seal(path), Code::state, "not sealed");
    std::filesystem::create_symlink(folder / "elsewhere", path / "link");
    require_ok(write_file_atomic(folder / "elsewhere", "x"));
    require_ok(seal_run(*run));
  }
  const auto mode = [](const std::filesystem::path& file) {
    struct stat info {};
    BOOST_REQUIRE_EQUAL(::stat(file.c_str(), &info), 0);
    return info.st_mode & 0222;
  };
  for (const auto& file : {path / "run.sqlite", path / "SHA256SUMS", path / "m-a" / "odd\\name\n",
                           path / plan.arms[0].store_path})
    BOOST_TEST(mode(file) == 0U, file);
  BOOST_TEST(mode(folder / "elsewhere") != 0U);
  BOOST_TEST((mode(path) & 0200) != 0U);
  require_ok(check_seal(path));
  const RunSummary summary = value_of(named_run(folder.path(), "r1"));
  BOOST_TEST(summary.shown_state() == "sealed");
  BOOST_TEST(value_of(read_overview(summary)).progress().accepted == 6);
  require_ok(check_seal(path));  // reading left nothing

  require_ok(write_file_atomic(path / "m-a" / "later.txt", "x"));
  check_refused(check_seal(path), Code::data, "came after");
  std::filesystem::remove(path / "m-a" / "later.txt");
  require_ok(write_file_atomic(path / "m-a" / "odd\\name\n", "# report\n"));
  check_refused(check_seal(path), Code::data, "is not what was sealed");
  std::filesystem::remove(path / "m-a" / "odd\\name\n");
  check_refused(check_seal(path), Code::data, "the seal is broken");
}

BOOST_AUTO_TEST_SUITE_END()
