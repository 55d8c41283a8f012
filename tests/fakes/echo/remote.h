// SPDX-License-Identifier: Apache-2.0
// A pretend provider of batch jobs that is nothing but a folder: a job lives there, and goes on by
// the wall clock, whether or not a process of ours runs. README.md describes the folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>

#include "failures.h"
#include "options.h"

namespace echo {

enum class RemoteState { queued, running, completed, expired, cancelled, failed };

struct RemoteStatus {
  RemoteState state = RemoteState::queued;
  std::uint64_t total = 0, done = 0;
  bool ended() const { return state >= RemoteState::completed; }
};

// One row of a job's results.
struct RemoteRow {
  psw::Request request;  // index: the line in the remote job
  std::optional<FailureKind> failure;
  std::int64_t finished_unix_us = 0;
};

// Safe to use from several threads and processes at once. Methods throw psw::Error.
class Remote {
 public:
  explicit Remote(const Options& options);

  // The job that carries `key`, if there is one.
  std::optional<std::string> find(const std::string& key) const;
  // The job with this id, if it exists and carries `key`.
  bool holds(const std::string& id, const std::string& key) const;

  // Attaches to the job that carries `key`; else creates it, whole or not at all, of the requests
  // that `next` gives until it is false. nullopt: the provider runs max_jobs jobs already.
  std::optional<std::string> create(const std::string& key, Failures& failures,
                                    const std::function<bool(psw::Request&)>& next);

  RemoteStatus status(const std::string& id) const;
  void cancel(const std::string& id) const;
  // What was finished when the job ended, in the order of the requests. A job that failed has none.
  void results(const std::string& id, const std::function<void(const RemoteRow&)>& take) const;

  // Whether the job meets a failure of this kind now; counted over all processes.
  bool meets(RemoteFailureKind kind, const std::string& id) const;

 private:
  struct Record;
  class Lock;
  Record read(const std::string& id) const;
  RemoteStatus status(const std::string& id, const Record& record) const;
  std::uint64_t running_jobs() const;
  std::map<std::string, std::string> ids_by_key() const;
  const RemoteFailure* fate_of(std::uint64_t job) const;
  bool meets(RemoteFailureKind kind, std::uint64_t job) const;
  bool take_turn(const RemoteFailure& rule) const;
  void write_job(const std::filesystem::path& folder, const std::string& key, std::uint64_t number,
                 Failures& failures, const std::function<bool(psw::Request&)>& next) const;

  const RemoteOptions& options_;
  const std::filesystem::path folder_;
};

}  // namespace echo
