// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>

namespace fireworks {

// How many jobs of this instance are at the provider. Any thread.
class Places {
 public:
  explicit Places(std::uint32_t free) : free_(free) {}
  bool take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_ == 0) return false;
    --free_;
    return true;
  }
  void give_back() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++free_;
  }

 private:
  std::mutex mutex_;
  std::uint32_t free_;
};

}  // namespace fireworks
