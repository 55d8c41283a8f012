// SPDX-License-Identifier: Apache-2.0
#include "patience.h"

#include <algorithm>

namespace fireworks {

void leave_open(Work& work, const std::string& why) {
  work.leave_open();
  throw LeftOpen(PSW_E_UNAVAILABLE, why + "; the job is left as it is and looked up again later");
}

Patience::Patience(Work& work, const Options& options)
    : work_(work), first_s_(options.poll_s), most_s_(options.poll_max_s), next_s_(first_s_) {}

void Patience::sleep(double seconds) {
  if (work_.sleep(static_cast<std::uint32_t>(std::max(1.0, seconds * 1000)))) throw Stopped{};
}

void Patience::wait() {
  sleep(next_s_);
  next_s_ = std::min(next_s_ * 1.5, most_s_);
}

void Patience::wait_briefly() { sleep(first_s_ / 5); }

void Patience::reset() { next_s_ = first_s_; }

}  // namespace fireworks
