// SPDX-License-Identifier: Apache-2.0
// Sees to it that a wish to stop is heard and obeyed in time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "run/stop.h"

namespace promptsweep {

// From the start of the process to its end: Ctrl-C and SIGTERM set the flag once, and leave at once
// when they come again (stores are crash-safe, so nothing answered is lost).
StopFlag& stop_on_interrupt();

// While it lives, a thread looks for `promptsweep stop` (store/stop_request.h) and sets the flag.
// When the work has not ended within `patience_us` of a wish to stop, it ends this process with
// exit code 130: an engine that hangs must not keep a person waiting.
class StopWatch {
 public:
  // `run_folder` may be empty: no run is known yet. `how_to_go_on` is printed before the process is
  // ended.
  StopWatch(StopFlag& stop, std::filesystem::path run_folder, std::string how_to_go_on,
            std::int64_t patience_us = 4'500'000);
  ~StopWatch();
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

 private:
  void watch();
  void clear_request() const;

  StopFlag& stop_;
  const std::filesystem::path run_folder_;
  const std::string writer_;
  const std::string how_to_go_on_;
  const std::int64_t patience_us_;
  std::mutex mutex_;  // guards ended_
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace promptsweep
