// SPDX-License-Identifier: Apache-2.0
// The echo plugin with a folder for its jobs.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backend/open.h"
#include "temporary_folder.h"

namespace promptsweep {

template <class T>
std::string why(const Result<T>& result) {
  return result ? "" : result.error().text;
}

struct EchoFixture {
  TemporaryFolder folder;
  std::mutex log_mutex;
  std::vector<std::string> log_lines;

  PluginInfo plugin(const std::string& name = "echo") {
    Result<PluginInfo> found = find_plugin(name, backend_search_path({}));
    BOOST_REQUIRE_MESSAGE(bool(found), why(found));
    return *found;
  }

  BackendServices services() {
    BackendServices s;
    s.log = [this](int, std::string_view message) {
      std::lock_guard<std::mutex> lock(log_mutex);
      log_lines.emplace_back(message);
    };
    return s;
  }

  Result<std::unique_ptr<Backend>> try_open(const std::string& options_json,
                                            const std::string& isolation, int restart_limit = 5,
                                            const std::string& name = "echo") {
    OpenOptions options;
    options.isolation = isolation;
    options.options_json = options_json;
    options.restart_limit = restart_limit;
    return open_backend(plugin(name), options, services());
  }

  std::unique_ptr<Backend> open(const std::string& options_json, const std::string& isolation,
                                int restart_limit = 5, const std::string& name = "echo") {
    auto opened = try_open(options_json, isolation, restart_limit, name);
    BOOST_REQUIRE_MESSAGE(bool(opened), why(opened));
    return *std::move(opened);
  }

  static std::string line(const std::string& id, const std::string& question) {
    return "{\"request_id\":\"" + id +
           "\",\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Answer.\"},"
           "{\"role\":\"user\",\"content\":\"" +
           question + "\"}],\"max_tokens\":16}";
  }

  // A job of the given ids; the question of an id is fixed by the id.
  JobRequest job(const std::string& job_id, const std::vector<std::string>& ids) {
    JobRequest request;
    request.job_id = job_id;
    request.requests_path = folder / (job_id + ".jsonl");
    std::ofstream out(request.requests_path, std::ios::binary);
    for (const std::string& id : ids) {
      const std::string text = line(id, "What is " + id + "?") + "\n";
      out << text;
      request.request_bytes += text.size();
    }
    request.request_count = ids.size();
    return request;
  }

  static std::vector<std::string> ids(int count, const std::string& prefix = "r") {
    std::vector<std::string> out;
    for (int i = 0; i < count; ++i) out.push_back(prefix + std::to_string(i));
    return out;
  }

  // Fetches until the job has ended and everything is taken. Fails the test on an error.
  static std::map<std::string, ResultRow> drain(Backend& backend, const std::string& job_id) {
    std::map<std::string, ResultRow> rows;
    const Status drained = drain_into(backend, job_id, rows);
    BOOST_REQUIRE_MESSAGE(bool(drained), why(drained));
    return rows;
  }

  static Status drain_into(Backend& backend, const std::string& job_id,
                           std::map<std::string, ResultRow>& rows) {
    const auto sink = [&](ResultRow row) -> Status {
      BOOST_TEST(rows.count(row.request_id) == 0u, "a second record of " + row.request_id);
      rows[row.request_id] = std::move(row);
      return ok;
    };
    for (;;) {
      const Result<JobStatus> status = backend.poll(job_id);
      if (!status) return status.error();
      const Result<FetchResult> fetched = backend.fetch(job_id, 1000, 50, sink);
      if (!fetched) return fetched.error();
      if (is_terminal(status->state) && fetched->delivered == 0 && !fetched->more) return ok;
    }
  }

  template <class Condition>
  static bool wait_for(Condition condition, int seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
};

}  // namespace promptsweep
