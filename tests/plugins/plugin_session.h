// SPDX-License-Identifier: Apache-2.0
// A plugin as the core opens it, and jobs of lines that the test writes. The test's target defines
// BACKENDS_FOLDER.
#pragma once

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "backend/open.h"
#include "base/digest.h"
#include "temporary_folder.h"

namespace promptsweep {

inline nlohmann::json chat_line(const std::string& id, const std::string& system,
                                const std::string& user, int max_tokens = 16) {
  return {{"request_id", id},
          {"model", "m"},
          {"messages",
           {{{"role", "system"}, {"content", system}}, {{"role", "user"}, {"content", user}}}},
          {"max_tokens", max_tokens},
          {"temperature", 0}};
}

class PluginSession {
 public:
  PluginSession(const std::string& plugin_id, const nlohmann::json& options,
                std::map<std::string, std::string> secrets = {})
      : secrets_(std::move(secrets)) {
    Result<PluginInfo> plugin = find_plugin(plugin_id, {BACKENDS_FOLDER});
    BOOST_REQUIRE_MESSAGE(plugin, (plugin ? "" : plugin.error().text));
    OpenOptions how;
    how.options_json = options.dump();
    BackendServices services;
    services.log = [this](int, std::string_view text) {
      const std::lock_guard lock(mutex_);
      log_ += std::string(text) + "\n";
    };
    services.secret = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = secrets_.find(name);
      return found == secrets_.end() ? std::nullopt : std::optional(found->second);
    };
    services.scratch_folder = services.cache_folder = folder_.path();
    Result<std::unique_ptr<Backend>> opened = open_backend(*plugin, how, std::move(services));
    if (!opened) {
      refusal = opened.error().text;
      return;
    }
    backend = std::move(opened).value();
  }

  std::string submit(const std::vector<nlohmann::json>& lines) {
    std::ostringstream text;
    for (const nlohmann::json& line : lines) {
      // The core writes request_id first.
      nlohmann::ordered_json ordered{{"request_id", line.at("request_id")}};
      for (const auto& [key, value] : line.items()) ordered[key] = value;
      text << ordered.dump() << '\n';
    }
    JobRequest job;
    job.job_id = "job-" + std::to_string(++jobs_);
    job.requests_path = folder_ / (job.job_id + ".jsonl");
    std::ofstream(job.requests_path) << text.str();
    job.request_count = lines.size();
    job.request_bytes = text.str().size();
    job.requests_sha256 = sha256_hex(text.str());
    Status submitted = backend->submit(job);
    BOOST_REQUIRE_MESSAGE(submitted, (submitted ? "" : submitted.error().text));
    return job.job_id;
  }

  std::map<std::string, ResultRow> collect(const std::string& job_id) {
    std::map<std::string, ResultRow> out;
    while (true) {
      Result<JobStatus> status = backend->poll(job_id);
      BOOST_REQUIRE_MESSAGE(status, (status ? "" : status.error().text));
      Result<FetchResult> fetched = backend->fetch(job_id, 100, 20, [&](ResultRow row) -> Status {
        out[row.request_id] = std::move(row);
        return ok;
      });
      BOOST_REQUIRE_MESSAGE(fetched, (fetched ? "" : fetched.error().text));
      last_failure = status->failure ? status->failure->text : "";
      if (is_terminal(status->state) && fetched->delivered == 0) break;
    }
    BOOST_REQUIRE(backend->close(job_id));
    return out;
  }
  std::map<std::string, ResultRow> ask(const std::vector<nlohmann::json>& lines) {
    return collect(submit(lines));
  }

  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  std::string refusal;       // why it did not open
  std::string last_failure;  // of the last job that was collected
  std::unique_ptr<Backend> backend;

  // Writes a script of faults and returns the emulator's arguments for it.
  static std::vector<std::string> with_faults(std::vector<std::string> arguments,
                                              const TemporaryFolder& folder,
                                              const std::string& script) {
    const std::string path = (folder / "faults.json").string();
    std::ofstream(path) << script;
    arguments.insert(arguments.end(), {"--faults", path});
    return arguments;
  }

 private:
  const std::map<std::string, std::string> secrets_;
  mutable std::mutex mutex_;
  std::string log_;
  TemporaryFolder folder_;
  int jobs_ = 0;
};

}  // namespace promptsweep
