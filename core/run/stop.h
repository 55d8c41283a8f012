// SPDX-License-Identifier: Apache-2.0
// A wish to stop, set from a signal handler or from another thread.
#pragma once

#include <atomic>

namespace promptsweep {

class StopFlag {
 public:
  // Async-signal-safe.
  void request() { requested_.store(true, std::memory_order_relaxed); }
  bool requested() const { return requested_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace promptsweep
