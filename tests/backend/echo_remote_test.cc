// SPDX-License-Identifier: Apache-2.0
// Jobs that outlive the process that made them: created once, attached to by key or by token.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "echo_fixture.h"

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

namespace promptsweep {
namespace {

const std::vector<std::string> both = {"inline", "process"};

struct RemoteFixture : EchoFixture {
  std::map<std::string, std::string> tokens;  // guarded by log_mutex

  std::string options(const std::string& more = "") const {
    return "{\"remote_folder\": \"" + (folder / "provider").string() + "\", \"event_log\": \"" +
           (folder / "events").string() + "\"" + (more.empty() ? "" : ", " + more) + "}";
  }
  static std::string failure(const std::string& members) {
    return "\"remote_failures\": [{" + members + "}]";
  }

  std::unique_ptr<Backend> open_remote(const std::string& options_json,
                                       const std::string& isolation = "process") {
    BackendServices s = services();
    s.checkpoint = [this](const std::string& job_id, std::string_view token) -> Status {
      std::lock_guard<std::mutex> lock(log_mutex);
      tokens[job_id] = std::string(token);
      return ok;
    };
    OpenOptions open;
    open.isolation = isolation;
    open.options_json = options_json;
    auto opened = open_backend(plugin("echo_remote"), open, s);
    BOOST_REQUIRE_MESSAGE(bool(opened), why(opened));
    return *std::move(opened);
  }
  std::string token_of(const std::string& job_id) {
    std::lock_guard<std::mutex> lock(log_mutex);
    return tokens[job_id];
  }
  bool wait_for_token(const std::string& job_id) {
    return wait_for([&] { return !token_of(job_id).empty(); });
  }

  fs::path jobs() const { return folder / "provider" / "jobs"; }
  int created_jobs() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(jobs())) count += entry.is_directory();
    return count;
  }
  // How often each request was handed to the provider.
  std::map<std::string, int> paid() const {
    std::map<std::string, int> out;
    for (const auto& entry : fs::directory_iterator(jobs())) {
      std::ifstream in(entry.path() / "requests.jsonl");
      for (std::string line; std::getline(in, line);) {
        out[line.substr(0, line.find(','))]++;
      }
    }
    return out;
  }
  int events(const std::string& name) const {
    int count = 0;
    std::ifstream in(folder / "events");
    for (std::string line; std::getline(in, line);) {
      count += line.find(" " + name + " ") != std::string::npos;
    }
    return count;
  }
  static int count_of(const std::map<std::string, ResultRow>& rows, Outcome outcome) {
    return static_cast<int>(std::count_if(
        rows.begin(), rows.end(), [&](const auto& row) { return row.second.outcome == outcome; }));
  }
};

BOOST_FIXTURE_TEST_SUITE(echo_remote, RemoteFixture)

BOOST_AUTO_TEST_CASE(it_says_that_it_is_remote_and_resumes) {
  const PluginInfo info = plugin("echo_remote");
  BOOST_TEST(info.facts.remote);
  BOOST_TEST(info.facts.resumes);
  BOOST_TEST(!info.facts.partial_fetch);
  BOOST_TEST(!plugin("echo").facts.resumes);
  const auto without_folder = try_open("{}", "process", 5, "echo_remote");
  BOOST_REQUIRE(!without_folder);
  BOOST_TEST(without_folder.error().text.find("/remote_folder") != std::string::npos);
  const Status local_kind = validate_options(
      info, options("\"failures\": [{\"kind\": \"kill\", \"request_id\": \"r0\"}]"));
  BOOST_TEST(!local_kind);
  const Status remote_kind =
      validate_options(plugin(), R"({"failures": [{"kind": "lose", "request_id": "r0"}]})");
  BOOST_TEST(!remote_kind);
}

BOOST_DATA_TEST_CASE(answers_are_those_of_echo, data::make(both), isolation) {
  const auto here = open("{}", isolation);
  const auto remote = open_remote(options(), isolation);
  BOOST_REQUIRE(bool(here->submit(job("here", ids(25)))));
  BOOST_REQUIRE(bool(remote->submit(job("a", ids(25)))));
  const auto local_rows = drain(*here, "here");
  const auto rows = drain(*remote, "a");
  BOOST_TEST(rows.size() == 25u);
  for (const auto& [id, row] : rows) {
    BOOST_TEST((row.outcome == Outcome::ok), id);
    BOOST_TEST(row.text == local_rows.at(id).text);
    BOOST_TEST(!row.latency_ms.has_value());
    BOOST_TEST(row.remote_id.substr(0, 11) == "job-000001/");
  }
  BOOST_TEST(token_of("a") == "job-000001");
  BOOST_TEST(created_jobs() == 1);
}

BOOST_DATA_TEST_CASE(a_job_goes_on_without_its_instance, data::make(both), isolation) {
  const std::string slow = options("\"remote_speed\": 20");
  {
    const auto backend = open_remote(slow, isolation);
    BOOST_REQUIRE(bool(backend->submit(job("a", ids(20)))));
    BOOST_REQUIRE(wait_for_token("a"));
    BOOST_TEST(!is_terminal(backend->poll("a")->state));
  }
  BOOST_TEST(!fs::exists(jobs() / "job-000001" / "cancelled"));
  std::this_thread::sleep_for(std::chrono::milliseconds(450));  // the provider works on alone
  const auto backend = open_remote(slow, isolation);
  JobRequest again = job("a", ids(20));
  again.resume_token = token_of("a");
  const auto begin = std::chrono::steady_clock::now();
  BOOST_REQUIRE(bool(backend->submit(again)));
  const auto rows = drain(*backend, "a");
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(300)));
  BOOST_TEST(count_of(rows, Outcome::ok) == 20);
  BOOST_TEST(created_jobs() == 1);
  BOOST_TEST(events("submit") == 1);
  BOOST_TEST(events("attach") == 1);
}

BOOST_DATA_TEST_CASE(asking_only_never_creates, data::make(both), isolation) {
  const auto backend = open_remote(options(), isolation);
  JobRequest ask = job("unknown", ids(3));
  ask.attach_only = true;
  BOOST_REQUIRE(bool(backend->submit(ask)));
  BOOST_REQUIRE(wait_for([&] { return is_terminal(backend->poll("unknown")->state); }));
  const auto status = backend->poll("unknown");
  BOOST_TEST((status->state == JobState::failed));
  BOOST_REQUIRE(status->failure.has_value());
  BOOST_TEST((status->failure->code == Code::not_found));
  BOOST_TEST(drain(*backend, "unknown").empty());  // nothing is answered, nothing was tried
  BOOST_REQUIRE(bool(backend->close("unknown")));
  BOOST_TEST(created_jobs() == 0);
  // Once proven absent, it may be created under the same key.
  ask.attach_only = false;
  BOOST_REQUIRE(bool(backend->submit(ask)));
  BOOST_TEST(drain(*backend, "unknown").size() == 3u);
  BOOST_REQUIRE(bool(backend->close("unknown")));
  ask.attach_only = true;
  BOOST_REQUIRE(bool(backend->submit(ask)));
  BOOST_TEST(drain(*backend, "unknown").size() == 3u);
  BOOST_TEST(created_jobs() == 1);
}

BOOST_AUTO_TEST_CASE(two_processes_create_one_job) {
  const auto first = open_remote(options("\"remote_speed\": 5"));
  const auto second = open_remote(options("\"remote_speed\": 5"));
  const JobRequest same = job("a", ids(10));
  std::thread other([&] { (void)second->submit(same); });
  BOOST_TEST(bool(first->submit(same)));
  other.join();
  BOOST_TEST(count_of(drain(*first, "a"), Outcome::ok) == 10);
  BOOST_TEST(count_of(drain(*second, "a"), Outcome::ok) == 10);
  BOOST_TEST(created_jobs() == 1);
  for (const auto& [request, times] : paid()) BOOST_TEST(times == 1, request);
}

const std::vector<std::string> deaths = {"kill_before_create", "kill_after_create",
                                         "kill_after_checkpoint", "kill_before_results"};

BOOST_DATA_TEST_CASE(a_death_at_any_step_creates_no_second_job, data::make(deaths), death) {
  const auto backend = open_remote(options(failure("\"kind\": \"" + death + "\", \"times\": 1")));
  JobRequest request = job("a", ids(12));
  // The process may die before it can answer.
  const Status submitted = backend->submit(request);
  BOOST_TEST((submitted || submitted.error().code == Code::unavailable), why(submitted));
  BOOST_REQUIRE(wait_for([&] { return backend->lost(); }));
  BOOST_TEST(backend->begun_when_lost().empty());  // nobody is a suspect: it ran elsewhere
  BOOST_TEST(created_jobs() == (death == "kill_before_create" ? 0 : 1));
  const bool told = death == "kill_after_checkpoint" || death == "kill_before_results";
  BOOST_TEST(token_of("a") == (told ? "job-000001" : ""));

  BOOST_REQUIRE(bool(backend->reopen()));
  request.resume_token = token_of("a");
  BOOST_REQUIRE(bool(backend->submit(request)));
  BOOST_TEST(count_of(drain(*backend, "a"), Outcome::ok) == 12);
  BOOST_TEST(created_jobs() == 1);
  BOOST_TEST(paid().size() == 12u);
  for (const auto& [line, times] : paid()) BOOST_TEST(times == 1, line);
}

BOOST_AUTO_TEST_CASE(a_token_of_another_job_is_not_believed) {
  const auto backend = open_remote(options());
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(3)))));
  BOOST_TEST(drain(*backend, "a").size() == 3u);
  for (const std::string& wrong : {token_of("a"), std::string("../jobs"), std::string("job-9")}) {
    JobRequest other = job("b", ids(4, "q"));
    other.resume_token = wrong;
    BOOST_REQUIRE(bool(backend->submit(other)));
    BOOST_TEST(count_of(drain(*backend, "b"), Outcome::ok) == 4);
    BOOST_REQUIRE(bool(backend->close("b")));
  }
  BOOST_TEST(created_jobs() == 2);
}

BOOST_DATA_TEST_CASE(cancel_reaches_the_provider, data::make(both), isolation) {
  const auto backend = open_remote(options("\"remote_speed\": 40"), isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(100)))));
  BOOST_REQUIRE(wait_for([&] { return backend->poll("a")->done >= 2; }));
  BOOST_REQUIRE(bool(backend->cancel("a")));
  const auto rows = drain(*backend, "a");
  BOOST_TEST((backend->poll("a")->state == JobState::cancelled));
  BOOST_TEST(rows.size() == 100u);
  const int finished = count_of(rows, Outcome::ok);
  BOOST_TEST(finished >= 2);
  BOOST_TEST(finished < 100);
  BOOST_TEST(count_of(rows, Outcome::cancelled) == 100 - finished);
  BOOST_REQUIRE(bool(backend->close("a")));
  // It stays cancelled: no work was done since.
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(100)))));
  BOOST_TEST(count_of(drain(*backend, "a"), Outcome::ok) == finished);
  BOOST_TEST(created_jobs() == 1);
}

BOOST_DATA_TEST_CASE(an_expired_job_keeps_what_it_had, data::make(both), isolation) {
  const auto backend =
      open_remote(options(failure("\"kind\": \"expire\", \"after\": 7")), isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(10)))));
  const auto rows = drain(*backend, "a");
  BOOST_TEST((backend->poll("a")->state == JobState::expired));
  BOOST_TEST(count_of(rows, Outcome::ok) == 7);
  BOOST_TEST(count_of(rows, Outcome::expired) == 3);
}

BOOST_AUTO_TEST_CASE(the_providers_own_ends_are_told) {
  const auto backend = open_remote(
      options("\"remote_failures\": [{\"kind\": \"cancel\", \"job\": 1, \"after\": 1}, "
              "{\"kind\": \"fail\", \"job\": 2}, {\"kind\": \"create_refused\", \"job\": 3, "
              "\"times\": 1}]"));
  BOOST_REQUIRE(bool(backend->submit(job("cancelled", ids(4)))));
  auto rows = drain(*backend, "cancelled");
  BOOST_TEST((backend->poll("cancelled")->state == JobState::cancelled));
  BOOST_TEST(count_of(rows, Outcome::ok) == 1);
  BOOST_TEST(count_of(rows, Outcome::cancelled) == 3);

  BOOST_REQUIRE(bool(backend->submit(job("failed", ids(4)))));
  rows = drain(*backend, "failed");
  BOOST_TEST((backend->poll("failed")->failure->code == Code::data));
  BOOST_TEST(count_of(rows, Outcome::error_backend) == 4);

  BOOST_REQUIRE(bool(backend->submit(job("refused", ids(4)))));
  rows = drain(*backend, "refused");
  BOOST_TEST((backend->poll("refused")->failure->code == Code::unavailable));
  BOOST_TEST(count_of(rows, Outcome::error_backend) == 4);
  BOOST_TEST(created_jobs() == 2);
  BOOST_REQUIRE(bool(backend->submit(job("again", ids(4)))));
  BOOST_TEST(count_of(drain(*backend, "again"), Outcome::ok) == 4);
}

BOOST_DATA_TEST_CASE(every_request_has_one_record_whatever_the_results_hold, data::make(both),
                     isolation) {
  const auto backend = open_remote(
      options("\"failures\": [{\"kind\": \"lose\", \"request_id\": \"r1\", \"times\": 1}, "
              "{\"kind\": \"duplicate\", \"request_id\": \"r2\"}, "
              "{\"kind\": \"error_request\", \"request_id\": \"r3\"}, "
              "{\"kind\": \"filtered\", \"request_id\": \"r4\"}]"),
      isolation);
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(6)))));
  auto rows = drain(*backend, "a");
  BOOST_TEST(rows.size() == 6u);
  BOOST_TEST((rows["r1"].outcome == Outcome::error_backend));
  BOOST_TEST((rows["r2"].outcome == Outcome::ok));
  BOOST_TEST((rows["r3"].outcome == Outcome::error_request));
  BOOST_TEST((rows["r4"].outcome == Outcome::filtered));
  // A row's fate belongs to its job: attaching again tells the same.
  BOOST_REQUIRE(bool(backend->close("a")));
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(6)))));
  BOOST_TEST((drain(*backend, "a")["r1"].outcome == Outcome::error_backend));
  // In another job the lost row is answered.
  BOOST_REQUIRE(bool(backend->submit(job("b", {"r1"}))));
  BOOST_TEST((drain(*backend, "b")["r1"].outcome == Outcome::ok));
}

BOOST_AUTO_TEST_CASE(a_full_provider_makes_a_job_wait) {
  const auto backend = open_remote(options("\"remote_max_jobs\": 1, \"remote_speed\": 30"));
  BOOST_REQUIRE(bool(backend->submit(job("a", ids(5)))));
  BOOST_REQUIRE(wait_for_token("a"));
  BOOST_REQUIRE(bool(backend->submit(job("b", ids(2, "q")))));
  BOOST_TEST(wait_for([&] {
    return backend->poll("b")->stage.find("waiting for a free place") != std::string::npos;
  }));
  BOOST_TEST(token_of("b").empty());
  BOOST_TEST(drain(*backend, "b").size() == 2u);
  BOOST_TEST(drain(*backend, "a").size() == 5u);
  BOOST_TEST(created_jobs() == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace promptsweep
