// SPDX-License-Identifier: Apache-2.0
#include "fixtures.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

JobRow job(const std::string& id, TaskType type = TaskType::closed_book) {
  JobRow row;
  row.job_id = id;
  row.type = type;
  row.requests_file = "jobs/" + id + ".jsonl";
  row.requests_sha256 = "abcd";
  row.numerics_json = R"({"n_parallel":4})";
  row.created_unix_us = 1'770'000'000'000'000;
  return row;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(jobs)

BOOST_AUTO_TEST_CASE(a_job_travels_from_intent_to_its_end) {
  TemporaryFolder folder;
  const auto rows = request_rows(5);
  const auto ids = ids_of(rows);
  {
    auto store = new_arm(folder / "arm.sqlite", rows);
    require_ok(store->record_job_intent(job("j1"), {ids[0], ids[1], ids[2]}));
    require_ok(store->record_job_submitted("j1"));
    require_ok(store->record_checkpoint("j1", std::string("tok\0en", 6)));
    require_ok(store->put_result(result_for(ids[0])));
  }
  auto store = value_of(ArmStore::open(folder / "arm.sqlite"));
  auto open = value_of(store->open_jobs());
  BOOST_REQUIRE_EQUAL(open.size(), 1U);
  BOOST_TEST(open[0].job_id == "j1");
  BOOST_TEST(open[0].state == "submitted");
  BOOST_TEST(open[0].resume_token == std::string("tok\0en", 6));
  BOOST_TEST(open[0].request_count == 3);
  BOOST_TEST(open[0].requests_file == "jobs/j1.jsonl");
  BOOST_TEST(open[0].requests_sha256 == "abcd");
  BOOST_TEST(open[0].numerics_json == R"({"n_parallel":4})");
  BOOST_TEST(open[0].created_unix_us == 1'770'000'000'000'000);
  BOOST_TEST(ids_of(value_of(store->job_requests("j1"))) ==
                 (std::vector<std::string>{ids[0], ids[1], ids[2]}),
             boost::test_tools::per_element());
  BOOST_TEST(value_of(store->progress()).in_jobs == 2);
  // Neither the accepted one nor the two in the open job.
  BOOST_TEST(ids_of(value_of(store->pending())) == (std::vector<std::string>{ids[3], ids[4]}),
             boost::test_tools::per_element());

  // Buffered answers count before the job's other requests become pending.
  require_ok(store->put_result(result_for(ids[1])));
  require_ok(store->put_result(result_for(ids[2], Outcome::expired)));
  require_ok(store->record_job_terminal("j1", "expired"));
  BOOST_TEST(value_of(store->open_jobs()).empty());
  BOOST_TEST(
      ids_of(value_of(store->pending())) == (std::vector<std::string>{ids[2], ids[3], ids[4]}),
      boost::test_tools::per_element());
  require_ok(store->record_job_intent(job("j2"), {ids[2], ids[3]}));
  BOOST_TEST(value_of(store->job_rounds(TaskType::closed_book)) == 2);
  BOOST_TEST(value_of(store->job_rounds(TaskType::open_book)) == 0);
  require_ok(store->verify());
}

BOOST_AUTO_TEST_CASE(a_request_is_in_one_open_job_at_most) {
  TemporaryFolder folder;
  const auto rows = request_rows(3);
  const auto ids = ids_of(rows);
  auto store = new_arm(folder / "arm.sqlite", rows);
  require_ok(store->record_job_intent(job("j1"), {ids[0], ids[1]}));
  check_refused(store->record_job_intent(job("j2"), {ids[2], ids[1]}), Code::state,
                "is in the open job j1");
  check_refused(store->record_job_intent(job("j3"), {ids[2], ids[2]}), Code::state,
                "is in the open job j3");
  check_refused(store->record_job_intent(job("j1"), {ids[2]}), Code::state, "recorded already");
  check_refused(store->record_job_intent(job("j4"), {"stranger"}), Code::data,
                "request stranger is unknown");
  check_refused(store->record_job_intent(job("j5", TaskType::open_book), {ids[2]}), Code::data,
                "task type");
  require_ok(store->put_result(result_for(ids[2])));
  check_refused(store->record_job_intent(job("j6"), {ids[2]}), Code::state, "accepted result");
  // None of the refused jobs left a trace.
  BOOST_TEST(value_of(store->open_jobs()).size() == 1U);
  BOOST_TEST(value_of(store->job_rounds(TaskType::closed_book)) == 1);
  require_ok(store->verify());
}

BOOST_AUTO_TEST_CASE(what_is_not_open_cannot_change) {
  TemporaryFolder folder;
  const auto ids = ids_of(request_rows(1));
  auto store = new_arm(folder / "arm.sqlite", request_rows(1));
  check_refused(store->record_job_submitted("j1"), Code::not_found, "no open job j1");
  check_refused(store->record_checkpoint("j1", "t"), Code::not_found, "no open job j1");
  check_refused(store->record_job_terminal("j1", "done"), Code::not_found, "no open job j1");
  require_ok(store->record_job_intent(job("j1"), ids));
  require_ok(store->record_job_terminal("j1", "done"));
  check_refused(store->record_checkpoint("j1", "t"), Code::not_found, "no open job j1");
  check_refused(store->record_job_terminal("j1", "done"), Code::not_found, "no open job j1");
}

BOOST_AUTO_TEST_SUITE_END()
