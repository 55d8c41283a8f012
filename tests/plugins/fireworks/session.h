// SPDX-License-Identifier: Apache-2.0
// The plugin as the core loads it, and the emulated provider as its own counters show it.
#pragma once

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backend/open.h"
#include "temporary_folder.h"

namespace promptsweep {

inline constexpr char emulator_key[] = "fw-test-secret-0123456789";

// Options against the emulator, in haste.
nlohmann::json hasty(const std::string& url, nlohmann::json more = nlohmann::json::object());
std::vector<nlohmann::json> questions(std::size_t count);
// GET PATH of the emulator's own; null where it does not answer any more.
nlohmann::json ask_emulator(const std::string& url, const std::string& path);

class Session {
 public:
  explicit Session(const nlohmann::json& options, const std::string& key = emulator_key,
                   const std::string& isolation = "auto");

  struct Job {
    std::string key = "job-1";
    bool attach_only = false;
    std::string token;
  };
  Status submit(const std::vector<nlohmann::json>& lines, const Job& job);
  // Until the job has ended and everything of it is here.
  std::map<std::string, ResultRow> collect(const std::string& key);
  std::map<std::string, ResultRow> ask(const std::vector<nlohmann::json>& lines,
                                       const std::string& key = "job-1");

  // Polls until `reached` holds of the job.
  void wait_for(const std::string& key, const std::function<bool(const JobStatus&)>& reached);
  void kill_host();
  std::string token() const;  // the last checkpoint
  std::string log() const;
  // Whether `text` stands in any file of the scratch folder or in the log.
  bool has_written(const std::string& text) const;

  std::unique_ptr<Backend> backend;
  std::string refusal;  // why it did not open
  JobStatus last;       // of the job that was collected last

 private:
  TemporaryFolder folder_;
  mutable std::mutex mutex_;  // guards the two below
  std::string log_, token_;
};

}  // namespace promptsweep
