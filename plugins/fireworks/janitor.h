// SPDX-License-Identifier: Apache-2.0
// Clears away at the provider what is not needed any more. A record that was handed over may still
// be lost in a crash for a moment; what it could be fetched from again stays longer than that.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "batch_job.h"
#include "options.h"
#include "work.h"

namespace fireworks {

class Janitor {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Log = std::function<void(const std::string& message)>;

  Janitor(Wire& wire, const Options& options, Log log);

  // `all_taken`: whether the host has every record of the job; asked until it says so.
  void add(Leftovers leftovers, std::function<bool()> all_taken);
  // Deletes what was taken `settling` ago. Any thread; gives up at the first call that fails, and
  // where `should_stop` says so.
  void sweep(
      Time now, const std::function<bool()>& should_stop = [] { return false; });
  // At the end of the instance: waits for what was taken a moment ago, and leaves the rest alone.
  void finish();

  static constexpr std::chrono::milliseconds settling{5000};
  static constexpr std::chrono::milliseconds settling_at_end{1000};

 private:
  struct Entry {
    Leftovers leftovers;
    std::function<bool()> all_taken;
    std::optional<Time> taken_at;
  };
  std::vector<Leftovers> due(Time now, std::chrono::milliseconds settled);
  bool remove(Control& control, const Leftovers& leftovers);

  Wire& wire_;
  const Options& options_;
  const Log log_;
  std::mutex mutex_;  // guards entries_
  std::vector<Entry> entries_;
};

}  // namespace fireworks
