// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE store
#include "store/arm_store.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "fixtures.h"
#include "temporary_folder.h"

using namespace store_test;

BOOST_AUTO_TEST_SUITE(arm_store)

BOOST_AUTO_TEST_CASE(every_field_comes_back_as_it_was) {
  TemporaryFolder folder;
  const auto rows = request_rows(2);
  ArmSpec arm = arm_spec();
  arm.decoding.top_k = 50;
  arm.instructions.open_book = "Use the \"passage\".";
  ResultRow full;
  full.request_id = rows[1].request_id;
  full.outcome = Outcome::truncated;
  full.text = std::string("a\0b \xff\xfe \"q\" \\ \n\xF0\x9F\x98\x80", 17);
  full.finish_reason = "length";
  full.error = "e";
  full.model = "m";
  full.prompt_tokens = 10;
  full.prompt_tokens_evaluated = 9;
  full.completion_tokens = 8;
  full.remote_id = "chatcmpl-1";
  full.seed_honoured = false;
  full.latency_ms = 12.5;
  full.finished_unix_us = 1'770'000'000'000'001;
  full.attempts = 3;
  full.cached = true;
  full.job_id = "job";
  full.timings_json = R"({"x":1})";
  {
    auto store = value_of(ArmStore::open(folder / "arm.sqlite"));
    require_ok(store->initialise(arm, rows));
    require_ok(store->put_result(full));
    require_ok(store->put_result(result_for(rows[0].request_id)));
    require_ok(store->flush());
  }
  auto store = value_of(ArmStore::open(folder / "arm.sqlite"));
  BOOST_TEST(to_json(value_of(store->arm())) == to_json(arm));
  const auto known = value_of(store->requests());
  BOOST_REQUIRE_EQUAL(known.size(), 2U);
  BOOST_TEST(known[1].custom_id == rows[1].custom_id);
  BOOST_TEST(known[1].seed == 4'000'000'000U);
  const auto read = value_of(store->accepted(full.request_id));
  BOOST_REQUIRE(read.has_value());
  const ResultRow& back = read->result;
  BOOST_TEST(read->attempt == 1);
  BOOST_CHECK(back.outcome == full.outcome);
  BOOST_TEST(back.text == full.text);
  BOOST_TEST(back.finish_reason == full.finish_reason);
  BOOST_TEST(back.error == full.error);
  BOOST_TEST(back.model == full.model);
  BOOST_CHECK(back.prompt_tokens == full.prompt_tokens);
  BOOST_CHECK(back.prompt_tokens_evaluated == full.prompt_tokens_evaluated);
  BOOST_CHECK(back.completion_tokens == full.completion_tokens);
  BOOST_TEST(back.remote_id == full.remote_id);
  BOOST_CHECK(back.seed_honoured == full.seed_honoured);
  BOOST_CHECK(back.latency_ms == full.latency_ms);
  BOOST_TEST(back.finished_unix_us == full.finished_unix_us);
  BOOST_TEST(back.attempts == 3);
  BOOST_TEST(back.cached);
  BOOST_TEST(back.job_id == full.job_id);
  BOOST_TEST(back.timings_json == full.timings_json);
  BOOST_CHECK(!read->score);
  const auto plain = value_of(store->accepted(rows[0].request_id));
  BOOST_CHECK(!plain->result.prompt_tokens && !plain->result.latency_ms &&
              !plain->result.seed_honoured);
  BOOST_CHECK(!value_of(store->accepted("nobody")));
}

BOOST_AUTO_TEST_CASE(initialising_again_needs_the_same_arm_and_requests) {
  TemporaryFolder folder;
  auto rows = request_rows(3);
  auto store = new_arm(folder / "arm.sqlite", rows);
  require_ok(store->initialise(arm_spec(), rows));
  check_refused(store->initialise(arm_spec("other"), rows), Code::state, "holds arm arm1");
  auto more = request_rows(4);
  check_refused(store->initialise(arm_spec(), more), Code::state, "not among");
  rows.pop_back();
  check_refused(store->initialise(arm_spec(), rows), Code::state,
                "3 recorded requests, the plan 2");
  rows.push_back(rows.front());
  check_refused(store->initialise(arm_spec(), rows), Code::state, "not among");
  BOOST_TEST(value_of(store->progress()).expected == 3);

  auto fresh = value_of(ArmStore::open(folder / "twice.sqlite"));
  check_refused(fresh->initialise(arm_spec(), {rows[0], rows[0]}), Code::data, "q0");
  BOOST_TEST(value_of(fresh->progress()).expected == 0);
  check_refused(fresh->arm(), Code::state, "no arm yet");
}

BOOST_AUTO_TEST_CASE(final_results_are_accepted_once_and_transient_ones_never) {
  TemporaryFolder folder;
  const auto rows = request_rows(3);
  {
    auto store = new_arm(folder / "arm.sqlite", rows);
    require_ok(store->put_result(result_for(rows[0].request_id, Outcome::error_timeout)));
    require_ok(store->put_result(result_for(rows[0].request_id, Outcome::ok, "first")));
    require_ok(store->put_result(result_for(rows[0].request_id, Outcome::ok, "second")));
    require_ok(store->put_result(result_for(rows[1].request_id, Outcome::error_request)));
    require_ok(store->put_result(result_for(rows[2].request_id, Outcome::cancelled)));
    check_refused(store->put_result(result_for("stranger")), Code::data, "stranger");
  }
  auto store = value_of(ArmStore::open(folder / "arm.sqlite"));
  require_ok(store->put_result(result_for(rows[0].request_id, Outcome::empty, "")));
  const auto progress = (require_ok(store->flush()), value_of(store->progress()));
  BOOST_TEST(progress.expected == 3);
  BOOST_TEST(progress.accepted == 2);
  BOOST_TEST(progress.ok == 1);
  BOOST_TEST(!progress.complete());
  BOOST_REQUIRE_EQUAL(progress.outcomes.size(), 2U);
  BOOST_TEST(value_of(store->duplicates_dropped()) == 2);
  BOOST_TEST(value_of(store->attempts_of(rows[0].request_id)) == 4);
  BOOST_TEST(value_of(store->attempts_of(rows[2].request_id)) == 1);
  const auto first = value_of(store->accepted(rows[0].request_id));
  BOOST_TEST(first->result.text == "first");
  BOOST_TEST(first->attempt == 2);
  BOOST_CHECK(!value_of(store->accepted(rows[2].request_id)));
  const auto pending = value_of(store->pending());
  BOOST_REQUIRE_EQUAL(pending.size(), 1U);
  BOOST_TEST(pending[0].request_id == rows[2].request_id);
  require_ok(store->verify());
}

BOOST_AUTO_TEST_CASE(four_threads_put_every_answer_and_each_counts_once) {
  TemporaryFolder folder;
  const auto rows = request_rows(2000);
  auto store = new_arm(folder / "arm.sqlite", rows);
  std::vector<std::thread> threads;
  std::vector<int> failures(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string& id =
            rows[(i + static_cast<std::size_t>(t) * 500) % rows.size()].request_id;
        if (!store->put_result(result_for(id, Outcome::ok, std::to_string(t)))) ++failures[t];
      }
      if (!store->flush()) ++failures[t];
    });
  }
  for (auto& thread : threads) thread.join();
  for (int count : failures) BOOST_TEST(count == 0);
  const auto progress = value_of(store->progress());
  BOOST_TEST(progress.accepted == 2000);
  BOOST_TEST(progress.complete());
  BOOST_TEST(value_of(store->duplicates_dropped()) == 6000);
  require_ok(store->verify());
}

BOOST_AUTO_TEST_CASE(a_result_becomes_durable_by_itself) {
  TemporaryFolder folder;
  const auto rows = request_rows(1);
  auto store = new_arm(folder / "arm.sqlite", rows);
  auto reader = value_of(ArmStore::open_read_only(folder / "arm.sqlite"));
  BOOST_TEST(value_of(reader->progress()).accepted == 0);
  const auto start = std::chrono::steady_clock::now();
  require_ok(store->put_result(result_for(rows[0].request_id)));
  // The promise is 100 ms; a loaded machine gets longer.
  const auto limit = start + std::chrono::seconds(10);
  while (value_of(reader->progress()).accepted == 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  BOOST_TEST(value_of(reader->progress()).accepted == 1);
  BOOST_TEST_MESSAGE("durable after " << took.count() << " ms");
}

BOOST_AUTO_TEST_CASE(one_arm_has_one_engine) {
  TemporaryFolder folder;
  auto store = new_arm(folder / "arm.sqlite", request_rows(1));
  BOOST_TEST(value_of(store->engine_identity()) == "");
  require_ok(store->record_engine_identity(R"({"build":1})"));
  require_ok(store->record_engine_identity(R"({"build":1})"));
  const Status other = store->record_engine_identity(R"({"build":2})");
  check_refused(other, Code::state, R"({"build":1})");
  check_refused(other, Code::state, R"({"build":2})");
  BOOST_TEST(value_of(store->engine_identity()) == R"({"build":1})");
}

BOOST_AUTO_TEST_CASE(a_reader_sees_the_writers_rows_and_cannot_write) {
  TemporaryFolder folder;
  check_refused(ArmStore::open_read_only(folder / "arm.sqlite"), Code::not_found, "no arm store");
  const auto rows = request_rows(2);
  auto store = new_arm(folder / "arm.sqlite", rows);
  require_ok(store->put_result(result_for(rows[0].request_id)));
  require_ok(store->flush());
  auto reader = value_of(ArmStore::open_read_only(folder / "arm.sqlite"));
  BOOST_TEST(value_of(reader->progress()).accepted == 1);
  BOOST_TEST(value_of(reader->pending()).size() == 1U);
  check_refused(reader->put_result(result_for(rows[1].request_id)), Code::state, "reading only");
  check_refused(reader->initialise(arm_spec(), rows), Code::state, "reading only");
  check_refused(reader->put_scores("h", {}), Code::state, "reading only");
  check_refused(reader->record_engine_identity("{}"), Code::state, "reading only");
  check_refused(reader->record_job_intent({}, {}), Code::state, "reading only");
}

BOOST_AUTO_TEST_CASE(a_closed_arm_is_one_file_that_others_can_read) {
  TemporaryFolder folder;
  const mode_t before = ::umask(022);
  { auto store = new_arm(folder / "arms" / "arm.sqlite", request_rows(1)); }
  ::umask(before);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "arms")) {
    names.push_back(entry.path().filename().string());
    struct stat info {};
    BOOST_REQUIRE_EQUAL(::stat(entry.path().c_str(), &info), 0);
    BOOST_TEST((info.st_mode & 0777) == 0644U);
  }
  BOOST_TEST(names == std::vector<std::string>{"arm.sqlite"}, boost::test_tools::per_element());
  // A reader leaves nothing behind that a later copy of the file would miss.
  value_of(value_of(ArmStore::open_read_only(folder / "arms" / "arm.sqlite"))->progress());
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder / "arms"), {}) == 1);
  std::filesystem::copy_file(folder / "arms" / "arm.sqlite", folder / "copy.sqlite");
  BOOST_TEST(value_of(value_of(ArmStore::open(folder / "copy.sqlite"))->progress()).expected == 1);
}

BOOST_AUTO_TEST_CASE(a_collaborator_reads_where_only_the_owner_may_write) {
  TemporaryFolder folder;
  const auto path = folder / "arms" / "arm.sqlite";
  new_arm(path, request_rows(3)).reset();
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
  std::filesystem::permissions(folder / "arms", std::filesystem::perms{0555});
  std::filesystem::permissions(path, std::filesystem::perms{0444});
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (::geteuid() == 0 && ::setuid(nobody) != 0) ::_exit(2);
    const auto reader = ArmStore::open_read_only(path);
    if (!reader) ::_exit(3);
    const auto progress = (*reader)->progress();
    ::_exit(progress && progress->expected == 3 ? 0 : 4);
  }
  int status = -1;
  BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  std::filesystem::permissions(folder / "arms", std::filesystem::perms{0755});
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(scores_stay_with_what_made_them) {
  TemporaryFolder folder;
  const auto rows = request_rows(3);
  auto store = new_arm(folder / "arm.sqlite", rows);
  for (int i = 0; i < 2; ++i) require_ok(store->put_result(result_for(rows[i].request_id)));
  BOOST_TEST(value_of(store->scores_input_hash()) == "");
  Score wrong;
  wrong.abstained = true;
  Score right{.em = 1, .f1 = 0.5, .abstained = false, .false_answer = 0, .unsupported = 1};
  require_ok(store->put_scores("rules-1", {{rows[0].request_id, wrong}}));
  require_ok(store->put_scores("rules-1", {{rows[1].request_id, right}}));
  BOOST_TEST(value_of(store->scores_input_hash()) == "rules-1");
  int scored = 0;
  require_ok(store->for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
    BOOST_REQUIRE(row.score.has_value());
    // The visitor may call the store.
    BOOST_TEST(value_of(store->scores_input_hash()) == "rules-1");
    if (row.request.request_id == rows[1].request_id) {
      BOOST_TEST(row.score->em == 1);
      BOOST_CHECK(row.score->f1 == 0.5 && row.score->false_answer == 0 &&
                  row.score->unsupported == 1);
    } else {
      BOOST_TEST(row.score->abstained);
      BOOST_CHECK(!row.score->f1 && !row.score->false_answer && !row.score->unsupported);
    }
    ++scored;
    return ok;
  }));
  BOOST_TEST(scored == 2);
  require_ok(store->put_scores("rules-2", {{rows[1].request_id, wrong}}));
  BOOST_CHECK(!value_of(store->accepted(rows[0].request_id))->score);
  check_refused(store->put_scores("rules-3", {{rows[2].request_id, wrong}}), Code::data,
                "no accepted result");
  BOOST_TEST(value_of(store->scores_input_hash()) == "rules-2");
}

BOOST_AUTO_TEST_CASE(visiting_goes_in_item_order_over_many_pages_and_stops_on_error) {
  TemporaryFolder folder;
  const auto rows = request_rows(1000);
  auto store = new_arm(folder / "arm.sqlite", rows);
  for (std::size_t i = rows.size(); i-- > 0;) {
    require_ok(store->put_result(result_for(rows[i].request_id, Outcome::ok, std::to_string(i))));
  }
  std::size_t next = 0;
  require_ok(store->for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
    BOOST_REQUIRE_EQUAL(row.result.text, std::to_string(next++));
    return ok;
  }));
  BOOST_TEST(next == rows.size());
  int seen = 0;
  check_refused(store->for_each_accepted([&](const ArmStore::AcceptedResult&) -> Status {
    return ++seen == 3 ? Status(Error{Code::cancelled, "enough"}) : Status(ok);
  }),
                Code::cancelled, "enough");
  BOOST_TEST(seen == 3);
}

BOOST_AUTO_TEST_CASE(how_fast_results_go_in) {
  TemporaryFolder folder;
  const auto rows = request_rows(50'000);
  auto store = new_arm(folder / "arm.sqlite", rows);
  const std::string answer(200, 'x');
  const auto start = std::chrono::steady_clock::now();
  for (const RequestRow& row : rows) {
    require_ok(store->put_result(result_for(row.request_id, Outcome::ok, answer)));
  }
  require_ok(store->flush());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  BOOST_TEST(value_of(store->progress()).accepted == 50'000);
  BOOST_TEST_MESSAGE(static_cast<int>(50'000 / took.count()) << " results/s, durable");
}

BOOST_AUTO_TEST_SUITE_END()
