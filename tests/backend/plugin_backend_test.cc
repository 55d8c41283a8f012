// SPDX-License-Identifier: Apache-2.0
// The same behaviour wherever the plugin runs.
#include <stdlib.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "echo_fixture.h"

namespace data = boost::unit_test::data;

namespace promptsweep {
namespace {

const std::vector<std::string> both = {"inline", "process"};

BOOST_FIXTURE_TEST_SUITE(plugin_backend, EchoFixture)

BOOST_AUTO_TEST_CASE(a_plugin_describes_itself) {
  const PluginInfo echo = plugin();
  BOOST_TEST(echo.id == "echo");
  BOOST_TEST(echo.version == "1.0.0");
  BOOST_TEST(echo.facts.concurrent_jobs);
  BOOST_TEST(echo.facts.partial_fetch);
  BOOST_TEST(echo.facts.seeded);
  BOOST_TEST(!echo.facts.remote);
  BOOST_TEST(echo.secrets == std::vector<std::string>{"ECHO_TOKEN"},
             boost::test_tools::per_element());
  BOOST_TEST(!plugin("echo_batch").facts.partial_fetch);
}

BOOST_AUTO_TEST_CASE(a_missing_plugin_is_named_with_the_places) {
  for (const char* name : {"nothing", "../echo", ".", ""}) {
    const auto found = find_plugin(name, {"/nowhere/a", "/nowhere/b"});
    BOOST_REQUIRE(!found);
    BOOST_TEST((found.error().code == Code::not_found));
    BOOST_TEST(found.error().text.find("/nowhere/a, /nowhere/b") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_search_path_keeps_its_order) {
  ::setenv("PROMPTSWEEP_BACKEND_PATH", "/env/a::/env/b", 1);
  const auto path = backend_search_path({"/cli"});
  ::unsetenv("PROMPTSWEEP_BACKEND_PATH");
  BOOST_REQUIRE(path.size() == 4u);
  BOOST_TEST(path[0] == "/cli");
  BOOST_TEST(path[1] == "/env/a");
  BOOST_TEST(path[2] == "/env/b");
  BOOST_TEST(path[3].string().find("lib/promptsweep/backends") != std::string::npos);
}

BOOST_DATA_TEST_CASE(every_request_is_answered_once, data::make(both), isolation) {
  const auto backend = open(R"({"n_parallel": 4, "jitter_ms": 3})", isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(50)))));
  BOOST_REQUIRE(bool(backend->submit(job("b", ids(30, "q")))));
  const auto rows = drain(*backend, "a");
  BOOST_TEST(rows.size() == 50u);
  for (const auto& [id, row] : rows) {
    BOOST_TEST((row.outcome == Outcome::ok), id);
    BOOST_TEST(row.job_id == "a");
    BOOST_TEST(!row.text.empty());
    BOOST_TEST(row.latency_ms.has_value());
  }
  BOOST_TEST(drain(*backend, "b").size() == 30u);
  BOOST_TEST(bool(backend->close("a")));
  BOOST_TEST((backend->poll("a").error().code == Code::not_found));
  BOOST_TEST(!backend->lost());
}

BOOST_AUTO_TEST_CASE(answers_do_not_depend_on_where_the_plugin_runs) {
  std::vector<std::map<std::string, ResultRow>> answers;
  for (const std::string& isolation : both) {
    const auto backend = open("{}", isolation);
    BOOST_REQUIRE(bool(backend->submit(job("a-" + isolation, ids(40)))));
    answers.push_back(drain(*backend, "a-" + isolation));
  }
  for (const auto& [id, row] : answers[0]) {
    BOOST_TEST(answers[1][id].text == row.text);
    BOOST_TEST(answers[1][id].prompt_tokens.value() == row.prompt_tokens.value());
  }
}

BOOST_DATA_TEST_CASE(a_refused_record_is_offered_again, data::make(both), isolation) {
  const auto backend = open(R"({"n_parallel": 2})", isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(40)))));
  std::map<std::string, int> taken;
  int offered = 0, refusals = 0;
  const auto sink = [&](ResultRow row) -> Status {
    if (++offered % 3 == 0) return Error{Code::io, "disk full"};
    taken[row.request_id]++;
    return ok;
  };
  const bool all = wait_for([&] {
    const auto fetched = backend->fetch("a", 7, 20, sink);
    if (!fetched) {
      BOOST_TEST(fetched.error().text == "disk full");
      BOOST_TEST((fetched.error().code == Code::io));
      ++refusals;
    }
    return taken.size() == 40;
  });
  BOOST_TEST(all);
  BOOST_TEST(refusals > 0);
  for (const auto& [id, count] : taken) BOOST_TEST(count == 1, id);
}

BOOST_DATA_TEST_CASE(cancel_keeps_what_is_finished, data::make(both), isolation) {
  const auto backend = open(R"({"failures": [{"kind": "stall", "request_id": "r5"}]})", isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(20)))));
  BOOST_TEST(wait_for([&] { return backend->poll("a")->done >= 5; }));
  BOOST_TEST((backend->close("a").error().code == Code::state));
  BOOST_REQUIRE(bool(backend->cancel("a")));
  BOOST_REQUIRE(bool(backend->cancel("a")));  // idempotent
  const auto rows = drain(*backend, "a");
  BOOST_TEST(rows.size() == 20u);
  int finished = 0, cancelled = 0;
  for (const auto& [id, row] : rows) {
    finished += row.outcome == Outcome::ok;
    cancelled += row.outcome == Outcome::cancelled;
  }
  BOOST_TEST(finished == 5);
  BOOST_TEST(cancelled == 15);
  BOOST_TEST((backend->poll("a")->state == JobState::cancelled));
}

BOOST_DATA_TEST_CASE(outcomes_arrive_typed, data::make(both), isolation) {
  const auto backend = open(
      R"({"failures": [
        {"kind": "error_backend", "request_id": "r0", "times": 1},
        {"kind": "error_timeout", "request_id": "r1"}, {"kind": "error_request", "request_id": "r2"},
        {"kind": "prompt_truncated", "request_id": "r3"}, {"kind": "truncated", "request_id": "r4"},
        {"kind": "empty", "request_id": "r5"}, {"kind": "filtered", "request_id": "r6"}]})",
      isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(8)))));
  auto rows = drain(*backend, "a");
  const std::vector<Outcome> expected = {Outcome::error_backend, Outcome::error_timeout,
                                         Outcome::error_request, Outcome::prompt_truncated,
                                         Outcome::truncated,     Outcome::empty,
                                         Outcome::filtered,      Outcome::ok};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const ResultRow& row = rows["r" + std::to_string(i)];
    BOOST_TEST((row.outcome == expected[i]), row.request_id << " is " << to_string(row.outcome));
  }
  BOOST_TEST(backend->poll("a")->failed == 4u);
  // The transient one succeeds when it is offered again.
  BOOST_REQUIRE(bool(backend->submit(job("b", {"r0"}))));
  BOOST_TEST((drain(*backend, "b")["r0"].outcome == Outcome::ok));
}

BOOST_DATA_TEST_CASE(a_batch_backend_hands_out_nothing_before_the_end, data::make(both),
                     isolation) {
  const auto backend =
      open(R"({"failures": [{"kind": "stall", "request_id": "r3"}]})", isolation, 5, "echo_batch");
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(4)))));
  BOOST_TEST(wait_for([&] { return backend->poll("a")->done == 3; }));
  const auto early = backend->fetch("a", 10, 20, [](ResultRow) -> Status { return ok; });
  BOOST_REQUIRE(bool(early));
  BOOST_TEST(early->delivered == 0u);
  BOOST_REQUIRE(bool(backend->cancel("a")));
  BOOST_TEST(drain(*backend, "a").size() == 4u);
}

BOOST_DATA_TEST_CASE(bad_jobs_do_not_exist, data::make(both), isolation) {
  const auto backend = open("{}", isolation);
  JobRequest twice = job("twice", {"a", "b", "a"});
  const Status duplicate = backend->submit(twice);
  BOOST_REQUIRE(!duplicate);
  BOOST_TEST(duplicate.error().text.find("line 3") != std::string::npos);
  BOOST_TEST((backend->poll("twice").error().code == Code::not_found));
  JobRequest miscounted = job("miscounted", {"a"});
  miscounted.request_count = 2;
  BOOST_TEST(!backend->submit(miscounted));
  JobRequest absent = job("absent", {"a"});
  absent.attach_only = true;
  const Status attached = backend->submit(absent);
  BOOST_REQUIRE(!attached);
  BOOST_TEST((attached.error().code == Code::not_found));
  BOOST_REQUIRE(bool(backend->submit(job("a", {"a"}))));
  BOOST_TEST((backend->submit(job("a", {"a"})).error().code == Code::state));
}

BOOST_DATA_TEST_CASE(create_tells_why_it_fails, data::make(both), isolation) {
  const auto no_memory = try_open(R"({"create_error": "resource"})", isolation);
  BOOST_REQUIRE(!no_memory);
  BOOST_TEST((no_memory.error().code == Code::resource));
  const auto too_many = try_open(R"({"max_parallel": 2, "n_parallel": 3})", isolation);
  BOOST_REQUIRE(!too_many);
  BOOST_TEST((too_many.error().code == Code::resource));
  BOOST_TEST(bool(try_open(R"({"max_parallel": 2, "n_parallel": 2})", isolation)));
}

BOOST_DATA_TEST_CASE(loading_tells_its_progress_and_can_be_stopped, data::make(both), isolation) {
  std::atomic<int> progress{0}, other_totals{0};
  BackendServices s = services();
  s.progress = [&](std::uint64_t, std::uint64_t total, std::string_view) {
    other_totals += total != 60000;
    ++progress;
  };
  s.should_stop = [&] { return progress.load() >= 2; };
  OpenOptions options;
  options.isolation = isolation;
  options.options_json = R"({"create_delay_ms": 60000})";
  const auto begin = std::chrono::steady_clock::now();
  const auto opened = open_backend(plugin(), options, s);
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == Code::cancelled));
  BOOST_TEST(other_totals == 0);
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(5)));
}

BOOST_DATA_TEST_CASE(the_identity_is_the_engines, data::make(both), isolation) {
  const auto backend = open(R"({"label": "small"})", isolation);
  BOOST_TEST(*backend->engine_identity() == R"({"build":"1","engine":"echo","label":"small"})");
}

BOOST_DATA_TEST_CASE(secrets_reach_the_plugin_and_nothing_else, data::make(both), isolation) {
  ::setenv("ECHO_TOKEN", "canary-5f2c", 1);
  const auto backend = open(R"({"use_secret": true})", isolation);
  ::unsetenv("ECHO_TOKEN");
  BOOST_TEST(backend->engine_identity()->find("token_hash") != std::string::npos);
  BOOST_TEST(wait_for([&] {
    std::lock_guard<std::mutex> lock(log_mutex);
    return !log_lines.empty();
  }));
  std::lock_guard<std::mutex> lock(log_mutex);
  for (const std::string& logged : log_lines) {
    BOOST_TEST(logged.find("canary") == std::string::npos, logged);
  }
  BOOST_TEST(log_lines.back() == "using the token ***");
}

BOOST_AUTO_TEST_CASE(an_undeclared_secret_is_not_given) {
  BackendServices s = services();
  std::vector<std::string> asked;
  s.secret = [&](const std::string& name) -> std::optional<std::string> {
    asked.push_back(name);
    return std::nullopt;
  };
  OpenOptions options;
  options.options_json = R"({"use_secret": true})";
  PluginInfo undeclared = plugin();
  undeclared.secrets = {};
  BOOST_TEST(!open_backend(undeclared, options, s));
  BOOST_TEST(asked.empty());
}

BOOST_AUTO_TEST_CASE(isolation_is_checked) {
  BOOST_TEST((try_open("{}", "thread").error().code == Code::invalid_input));
  const auto fragile = find_plugin("faulty_process_only", {FAULTY_FOLDER});
  BOOST_REQUIRE_MESSAGE(bool(fragile), why(fragile));
  OpenOptions options;
  options.isolation = "inline";
  const auto opened = open_backend(*fragile, options, services());
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == Code::invalid_input));
  BOOST_TEST(opened.error().text.find("isolation") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace promptsweep
