// SPDX-License-Identifier: Apache-2.0
// What happens to the rest when a plugin's process dies.
#include <signal.h>
#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "echo_fixture.h"

namespace promptsweep {
namespace {

struct CrashFixture : EchoFixture {
  std::string event_log() const { return (folder / "events").string(); }
  std::string with_events(const std::string& more) const {
    return "{\"event_log\": \"" + event_log() + "\"" + (more.empty() ? "" : ", " + more) + "}";
  }
  // The processes that noted `event`.
  std::vector<pid_t> pids(const std::string& event) const {
    std::vector<pid_t> out;
    std::ifstream in(event_log());
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::int64_t time = 0;
      pid_t pid = 0;
      std::string name;
      words >> time >> pid >> name;
      if (name == event) out.push_back(pid);
    }
    return out;
  }
};

BOOST_FIXTURE_TEST_SUITE(crash, CrashFixture)

BOOST_AUTO_TEST_CASE(an_abort_costs_one_host_and_names_the_suspect) {
  const std::string state = (folder / "state").string();
  std::filesystem::create_directory(state);
  const auto backend =
      open("{\"delay_ms\": 20, \"state_folder\": \"" + state +
               "\", \"failures\": [{\"kind\": \"abort\", \"request_id\": \"r7\", \"times\": 1}]}",
           "process");
  BOOST_REQUIRE(bool(backend->submit(job("first", ids(20)))));
  std::map<std::string, ResultRow> rows;
  const Status drained = drain_into(*backend, "first", rows);
  BOOST_REQUIRE(!drained);
  BOOST_TEST((drained.error().code == Code::unavailable));
  BOOST_TEST(drained.error().text.find("killed by signal 6") != std::string::npos);
  BOOST_TEST(backend->lost());
  const auto begun = backend->begun_when_lost();
  BOOST_REQUIRE(begun.size() == 1u);
  BOOST_TEST(begun[0].job_id == "first");
  BOOST_TEST(begun[0].request_index == 7u);
  BOOST_TEST(rows.size() <= 7u);

  std::vector<std::string> rest;
  for (const std::string& id : ids(20)) {
    if (rows.count(id) == 0) rest.push_back(id);
  }
  BOOST_REQUIRE(bool(backend->reopen()));
  BOOST_TEST(!backend->lost());
  BOOST_TEST(backend->begun_when_lost().empty());
  BOOST_TEST((backend->poll("first").error().code == Code::not_found));
  BOOST_REQUIRE(bool(backend->submit(job("second", rest))));
  BOOST_REQUIRE(bool(drain_into(*backend, "second", rows)));
  BOOST_TEST(rows.size() == 20u);
}

BOOST_AUTO_TEST_CASE(a_killed_host_is_reported_and_started_again) {
  const auto backend = open(with_events("\"delay_ms\": 2"), "process");
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(2000)))));
  BOOST_TEST(wait_for([&] { return backend->poll("a")->done > 3; }));
  const std::vector<pid_t> started = pids("create");
  BOOST_REQUIRE(started.size() == 1u);
  ::kill(started[0], SIGKILL);
  BOOST_TEST(wait_for([&] { return backend->lost(); }));
  BOOST_TEST(!backend->begun_when_lost().empty());
  const auto polled = backend->poll("a");
  BOOST_REQUIRE(!polled);
  BOOST_TEST(polled.error().text.find("killed by signal 9") != std::string::npos);
  BOOST_REQUIRE(bool(backend->reopen()));
  BOOST_REQUIRE(bool(backend->submit(job("b", ids(3)))));
  BOOST_TEST(drain(*backend, "b").size() == 3u);
  BOOST_TEST((backend->reopen().error().code == Code::state));
}

BOOST_AUTO_TEST_CASE(a_host_killed_while_it_creates_is_an_error_not_a_hang) {
  std::thread killer([&] {
    wait_for([&] { return !pids("create").empty(); });
    ::kill(pids("create").at(0), SIGKILL);
  });
  const auto opened = try_open(with_events("\"create_delay_ms\": 60000"), "process");
  killer.join();
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == Code::unavailable));
  BOOST_TEST(opened.error().text.find("killed by signal 9") != std::string::npos);
  BOOST_TEST(
      (try_open(R"({"create_error": "abort"})", "process").error().code == Code::unavailable));
}

BOOST_AUTO_TEST_CASE(restarts_end_at_the_limit) {
  const auto backend =
      open(R"({"delay_ms": 50, "failures": [{"kind": "kill", "request_id": "r0"}]})", "process", 2);
  for (int round = 0; round < 3; ++round) {
    const std::string name = "job" + std::to_string(round);
    BOOST_REQUIRE(bool(backend->submit(job(name, ids(1)))));
    std::map<std::string, ResultRow> rows;
    BOOST_TEST(!drain_into(*backend, name, rows));
    BOOST_TEST(rows.empty());
    BOOST_TEST(backend->lost());
    const Status reopened = backend->reopen();
    BOOST_TEST(bool(reopened) == (round < 2));
    if (!reopened) {
      BOOST_TEST((reopened.error().code == Code::unavailable));
      BOOST_TEST(reopened.error().text.find("3 times") != std::string::npos);
      BOOST_TEST(reopened.error().text.find("signal 9") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(one_host_dies_alone) {
  const auto stable = open("{}", "process");
  const auto fragile =
      open(R"({"delay_ms": 50, "failures": [{"kind": "abort", "nth": 1}]})", "process");
  BOOST_REQUIRE(bool(fragile->submit(job("f", ids(2)))));
  BOOST_TEST(wait_for([&] { return fragile->lost(); }));
  BOOST_REQUIRE(bool(stable->submit(job("s", ids(5)))));
  BOOST_TEST(drain(*stable, "s").size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_request_that_never_ends_ends_with_its_process) {
  const auto backend = open(R"({"failures": [{"kind": "hang", "request_id": "r1"}]})", "process");
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(2)))));
  BOOST_TEST(wait_for([&] { return backend->poll("a")->done == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // r1 hangs by now
  BOOST_REQUIRE(bool(backend->cancel("a")));
  const auto rows = drain(*backend, "a");
  BOOST_TEST((rows.at("r0").outcome == Outcome::ok));
  BOOST_TEST((rows.at("r1").outcome == Outcome::cancelled));
  // The engine's thread never comes back, so destroy hangs: the end of the process is bounded.
}

BOOST_AUTO_TEST_CASE(a_plugin_that_ignores_cancel_is_killed) {
  const auto found = find_plugin("faulty_ignores_cancel", {FAULTY_FOLDER});
  BOOST_REQUIRE_MESSAGE(bool(found), why(found));
  const auto backend = open_backend(*found, {}, services());
  BOOST_REQUIRE_MESSAGE(bool(backend), why(backend));
  BOOST_REQUIRE(bool((*backend)->submit(job("a", ids(2)))));
  BOOST_REQUIRE(bool((*backend)->cancel("a")));
  BOOST_TEST(wait_for([&] {
    (void)(*backend)->poll("a");
    return (*backend)->lost();
  }));
  const auto polled = (*backend)->poll("a");
  BOOST_REQUIRE(!polled);
  BOOST_TEST(polled.error().text.find("did not stop within 100 ms") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_childs_environment_holds_no_secret) {
  ::setenv("ECHO_TOKEN", "canary-77aa", 1);
  ::setenv("OTHER_API_KEY", "canary-88bb", 1);
  const auto backend = open(with_events("\"use_secret\": true"), "process");
  const pid_t pid = pids("create").at(0);
  for (const char* file : {"environ", "cmdline"}) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/" + file, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    BOOST_TEST(content.str().find("canary") == std::string::npos);
    if (std::string(file) == "environ") {
      BOOST_TEST(content.str().find("PATH=") != std::string::npos);
    }
  }
  ::unsetenv("ECHO_TOKEN");
  ::unsetenv("OTHER_API_KEY");
}

BOOST_AUTO_TEST_CASE(the_host_ends_with_its_backend) {
  auto backend = open(with_events(""), "process");
  const pid_t pid = pids("create").at(0);
  BOOST_TEST(::kill(pid, 0) == 0);
  backend.reset();
  BOOST_TEST(::kill(pid, 0) == -1);
  BOOST_TEST(pids("destroy").size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace promptsweep
