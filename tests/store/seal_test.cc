// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <cstdlib>

#include "base/digest.h"
#include "base/env.h"
#include "plan_fixture.h"
#include "store/exports.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

// A run with one arm that has an answer, and an artifact.
std::unique_ptr<RunStore> small_run(const std::filesystem::path& folder) {
  auto run = value_of(RunStore::open_for_writing(folder));
  const RunPlan plan = two_set_plan();
  require_ok(run->write_plan(plan, two_item_list(), false));
  auto arm = value_of(run->open_arm(plan.arms[0]));
  const auto rows = request_rows(2);
  require_ok(arm->initialise(plan.arms[0], rows));
  require_ok(arm->put_result(result_for(rows[0].request_id)));
  value_of(put_artifact(folder / "m-a" / "reports" / "report.md", "# Report\n"));
  return run;
}

bool sums_hold(const std::filesystem::path& folder) {
  const std::string command =
      "cd '" + folder.string() + "' && sha256sum --check --strict --quiet SHA256SUMS";
  return std::system(command.c_str()) == 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(seal)

BOOST_AUTO_TEST_CASE(artifacts_are_written_whole_with_the_usual_mode) {
  TemporaryFolder folder;
  const auto path = folder / "a" / "b" / "costs.json";
  const mode_t before = ::umask(022);
  BOOST_TEST(value_of(put_artifact(path, "{}")) == sha256_hex("{}"));
  ::umask(before);
  struct stat info {};
  BOOST_REQUIRE_EQUAL(::stat(path.c_str(), &info), 0);
  BOOST_TEST((info.st_mode & 0777) == 0644U);
  BOOST_TEST(value_of(put_artifact(path, "{\"a\":1}")) == sha256_hex("{\"a\":1}"));
  BOOST_TEST(value_of(read_file(path)) == "{\"a\":1}");
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_sealed_run_checks_with_sha256sum_and_takes_no_more_writes) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  {
    auto run = small_run(path);
    require_ok(write_file_atomic(path / "odd\\name\n", "x"));
    require_ok(seal_run(*run));
    require_ok(seal_run(*run));
    BOOST_TEST(value_of(run->state()) == "sealed");
    check_refused(run->set_state("complete"), Code::state, "sealed");
  }
  const std::string sums = value_of(read_file(path / "SHA256SUMS"));
  const std::string before = value_of(sha256_hex_of_file(path / "run.sqlite"));
  BOOST_TEST(sums.find(before + "  run.sqlite\n") != std::string::npos);
  BOOST_TEST(sums.find("  shared_controls/control/arm.sqlite\n") != std::string::npos);
  BOOST_TEST(sums.find("  m-a/reports/report.md\n") != std::string::npos);
  BOOST_TEST(sums.find("lock") == std::string::npos);
  BOOST_TEST(sums.find("SHA256SUMS") == std::string::npos);
  BOOST_TEST(sums_hold(path));

  const RunPlan plan = two_set_plan();
  {
    auto run = value_of(RunStore::open_for_writing(path));
    check_refused(run->write_plan(plan, two_item_list(), true), Code::state, "sealed");
    check_refused(run->record_phase({}), Code::state, "sealed");
    check_refused(run->set_state("sealed"), Code::state, "sealed");
    check_refused(run->open_arm(plan.arms[0]), Code::state, "sealed");
  }
  check_refused(put_artifact(path / "m-a" / "reports" / "report.md", "x"), Code::state, "sealed");
  auto run = value_of(RunStore::open_read_only(path));
  auto arm = value_of(run->open_arm_read_only(plan.arms[0]));
  BOOST_TEST(value_of(arm->progress()).accepted == 1);
  check_refused(export_predictions(path / "m-a" / "p.csv", {{Condition::control, 0, arm.get()}}),
                Code::state, "sealed");
  BOOST_TEST(
      value_of(export_predictions(folder / "p.csv", {{Condition::control, 0, arm.get()}})).size() ==
      64U);
  // Reading and trying to write left nothing behind and changed nothing.
  BOOST_TEST(!std::filesystem::exists(path / "run.sqlite-wal"));
  BOOST_TEST(!std::filesystem::exists(path / "run.sqlite-shm"));
  BOOST_TEST(sums_hold(path));
  BOOST_TEST(value_of(read_file(path / "SHA256SUMS")) == sums);
}

BOOST_AUTO_TEST_CASE(a_run_with_a_damaged_arm_is_not_sealed) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  auto run = small_run(path);
  const RunPlan plan = two_set_plan();
  const auto arm_file = path / plan.arms[0].store_path;
  std::filesystem::resize_file(arm_file, std::filesystem::file_size(arm_file) / 2);
  check_refused(seal_run(*run), Code::data, "damaged");
  BOOST_TEST(value_of(run->state()) == "incomplete");
  BOOST_TEST(!std::filesystem::exists(path / "SHA256SUMS"));
}

BOOST_AUTO_TEST_CASE(a_seal_that_was_cut_off_is_finished) {
  TemporaryFolder folder;
  const auto path = folder / "run_r1";
  auto run = small_run(path);
  require_ok(run->set_state("sealed"));
  BOOST_TEST(!std::filesystem::exists(path / "SHA256SUMS"));
  require_ok(seal_run(*run));
  run.reset();
  BOOST_TEST(sums_hold(path));
}

BOOST_AUTO_TEST_SUITE_END()
