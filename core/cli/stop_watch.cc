// SPDX-License-Identifier: Apache-2.0
#include "cli/stop_watch.h"

#include <chrono>
#include <cstdio>
#include <optional>

#include "base/env.h"
#include "cli/command.h"
#include "store/stop_request.h"

namespace promptsweep {
namespace {

constexpr std::chrono::milliseconds look_interval{100};

StopFlag interrupted;

void handle_interrupt(int) {
  if (interrupted.requested()) leave_now(exit_interrupted);
  interrupted.request();
}

}  // namespace

StopFlag& stop_on_interrupt() {
  on_interrupt(&handle_interrupt);
  return interrupted;
}

StopWatch::StopWatch(StopFlag& stop, std::filesystem::path run_folder, std::string how_to_go_on,
                     std::int64_t patience_us)
    : stop_(stop),
      run_folder_(std::move(run_folder)),
      writer_(run_folder_.empty() ? "" : writer_note(run_folder_)),
      how_to_go_on_(std::move(how_to_go_on)),
      patience_us_(patience_us) {
  // One for this holder of the lock may have come already; it is heard.
  if (!is_stop_requested(run_folder_, writer_)) clear_request();
  thread_ = std::thread([this] { watch(); });
}

StopWatch::~StopWatch() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
  clear_request();
}

void StopWatch::clear_request() const {
  if (!run_folder_.empty()) clear_stop_request(run_folder_);
}

void StopWatch::watch() {
  std::optional<std::int64_t> since;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, look_interval, [this] { return ended_; })) {
    if (is_stop_requested(run_folder_, writer_)) stop_.request();
    if (!stop_.requested()) continue;
    const std::int64_t now = monotonic_us();
    if (!since) since = now;
    if (now - *since < patience_us_) continue;
    std::fprintf(stderr, "stopped: something did not end in time; what was answered is kept. %s\n",
                 how_to_go_on_.c_str());
    clear_request();
    leave_now(exit_interrupted);
  }
}

}  // namespace promptsweep
