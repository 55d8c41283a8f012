// SPDX-License-Identifier: Apache-2.0
// What the core's adapter does not show: checkpoints, output, the life line, many callers.
#include "host/host_client.h"

#include <signal.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include "temporary_folder.h"

using namespace promptsweep::host;

namespace {

struct HostFixture {
  TemporaryFolder folder;
  std::mutex mutex;
  std::vector<std::string> output;

  std::unique_ptr<HostProcess> start(Services services = {}, const char* plugin = "echo") {
    HostOptions options;
    options.program = find_host_program().value();
    options.library = std::filesystem::path(BACKENDS_FOLDER) / (std::string(plugin) + ".so");
    options.services = std::move(services);
    options.output = [this](std::string_view line) {
      std::lock_guard<std::mutex> lock(mutex);
      output.emplace_back(line);
    };
    std::unique_ptr<HostProcess> process;
    const CallStatus started = HostProcess::start(std::move(options), &process);
    BOOST_REQUIRE_MESSAGE(bool(started), started.message);
    return process;
  }

  JobArgs job(psw_job number, int requests) {
    JobArgs args;
    args.job = number;
    args.requests_path = (folder / (std::to_string(number) + ".jsonl")).string();
    args.request_count = static_cast<std::uint64_t>(requests);
    std::ofstream out(args.requests_path);
    for (int i = 0; i < requests; ++i) {
      out << "{\"request_id\":\"r" << i << "\",\"prompt\":\"p" << i << "\",\"max_tokens\":4}\n";
    }
    return args;
  }
};

BOOST_FIXTURE_TEST_SUITE(host_client, HostFixture)

BOOST_AUTO_TEST_CASE(the_description_crosses) {
  const auto process = start();
  BOOST_TEST(process->description().id == "echo");
  BOOST_TEST(process->description().config_schema_json.find("x-changes-answers") !=
             std::string::npos);
  BOOST_TEST(bool(process->validate("{}")));
  const CallStatus bad = process->validate("{\"nonsense\":1}");
  BOOST_TEST(bad.code == PSW_E_CONFIG);
  BOOST_TEST(bad.message == "/nonsense: unknown option");
  BOOST_TEST(process->submit(job(1, 1)).code == PSW_E_STATE);  // before create
}

BOOST_AUTO_TEST_CASE(tokens_are_counted_by_the_plugin) {
  const auto process = start();
  BOOST_REQUIRE(bool(process->create("{}")));
  std::uint64_t tokens = 0;
  BOOST_REQUIRE(
      bool(process->count_tokens(R"({"request_id":"a","prompt":"one two three"})", tokens)));
  BOOST_TEST(tokens == 3u);
  BOOST_TEST(process->count_tokens("nonsense", tokens).code == PSW_E_INVALID_ARGUMENT);
}

BOOST_AUTO_TEST_CASE(large_batches_cross_whole) {
  const auto process = start();
  BOOST_REQUIRE(bool(process->create("{}")));
  constexpr int count = 20000;
  BOOST_REQUIRE(bool(process->submit(job(1, count))));
  std::vector<int> seen(count);
  for (std::uint64_t total = 0; total < count;) {
    Fetched fetched;
    const CallStatus status = process->fetch(
        1, 100000, 1000,
        [&](const Record& record) -> CallStatus {
          seen.at(record.request_index)++;
          return {};
        },
        fetched);
    BOOST_REQUIRE_MESSAGE(bool(status), status.message);
    total += fetched.emitted;
  }
  for (const int times : seen) BOOST_REQUIRE(times == 1);
  // The last marks may still be on their way when the last record is here.
  for (int i = 0; i < 1000 && !process->begun().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  BOOST_TEST(process->begun().empty());
}

BOOST_AUTO_TEST_CASE(many_threads_may_call) {
  const auto process = start();
  BOOST_REQUIRE(bool(process->create(R"({"n_parallel": 3})")));
  std::atomic<int> failures{0};
  std::atomic<std::uint64_t> records{0};
  for (psw_job number = 1; number <= 4; ++number) job(number, 200);
  std::vector<std::thread> threads;
  for (psw_job number = 1; number <= 4; ++number) {
    JobArgs args = job(number, 200);
    threads.emplace_back([&, args] {
      failures += !process->submit(args);
      for (std::uint64_t mine = 0; mine < 200;) {
        JobView view;
        failures += !process->poll(args.job, view);
        Fetched fetched;
        failures += !process->fetch(
            args.job, 50, 20, [](const Record&) -> CallStatus { return {}; }, fetched);
        mine += fetched.emitted;
        records += fetched.emitted;
        if (failures > 0) return;
      }
      while (process->close(args.job).code == PSW_E_STATE) std::this_thread::yield();
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(failures == 0);
  BOOST_TEST(records == 800u);
}

BOOST_AUTO_TEST_CASE(a_death_is_told_with_its_last_words) {
  const auto process = start();
  BOOST_TEST(!process->death().has_value());
  ::kill(static_cast<pid_t>(process->pid()), SIGSEGV);
  const CallStatus status = process->create("{}");
  BOOST_TEST(status.code == PSW_E_UNAVAILABLE);
  BOOST_TEST(status.scope == PSW_SCOPE_INSTANCE);
  BOOST_TEST((status.flags & PSW_ERR_RETRYABLE) != 0u);
  BOOST_TEST(process->death().has_value());
}

BOOST_AUTO_TEST_CASE(a_killed_process_says_why) {
  const auto process = start();
  process->kill("it was too slow");
  BOOST_TEST(process->death().value() == "it was too slow; killed by signal 9 (Killed)");
}

// Gone, or a zombie that nobody has collected yet.
bool has_ended(long pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return !(in >> number >> name >> state) || state == "Z";
}

BOOST_AUTO_TEST_CASE(a_host_does_not_outlive_a_killed_program) {
  const std::string command = "exec '" +
                              (find_host_program().value().parent_path() / "host_holder").string() +
                              "' '" BACKENDS_FOLDER "/echo.so' '{}'";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  long holder = 0, host = 0;
  BOOST_REQUIRE(std::fscanf(pipe, "%ld %ld", &holder, &host) == 2);
  BOOST_TEST(!has_ended(host));
  ::kill(static_cast<pid_t>(holder), SIGKILL);
  ::pclose(pipe);
  for (int i = 0; i < 2000 && !has_ended(host); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  BOOST_TEST(has_ended(host));
}

BOOST_AUTO_TEST_CASE(a_missing_host_program_is_a_sentence) {
  HostOptions options;
  options.program = folder / "absent";
  std::unique_ptr<HostProcess> process;
  const CallStatus started = HostProcess::start(std::move(options), &process);
  BOOST_TEST(started.code == PSW_E_RESOURCE);
  BOOST_TEST(started.message.find("absent") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_programs_output_is_no_hello) {
  HostOptions options;
  options.program = "/bin/true";
  options.library = "x.so";
  std::unique_ptr<HostProcess> process;
  BOOST_TEST(!HostProcess::start(std::move(options), &process));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
