// SPDX-License-Identifier: Apache-2.0
// Waiting for the provider, which ends when the job shall stop.
#pragma once

#include <string>

#include "options.h"
#include "work.h"

namespace fireworks {

// Thrown out of every wait and every call when the job was cancelled or the instance ends.
struct Stopped {};

struct LeftOpen : psw::Error {
  using psw::Error::Error;
};

// The provider cannot be asked for a long while, although it may have the job: the host shall look
// it up again later and never take it for lost. Throws LeftOpen.
[[noreturn]] void leave_open(Work& work, const std::string& why);

class Patience {
 public:
  Patience(Work& work, const Options& options);

  // poll_s, and half as much again each time up to poll_max_s. Throws Stopped.
  void wait();
  // A part of poll_s, for what takes seconds: an upload that settles, a look after a lost reply.
  void wait_briefly();
  void reset();

 private:
  void sleep(double seconds);

  Work& work_;
  const double first_s_, most_s_;
  double next_s_;
};

// How often it is asked again, a wait apart, when nothing sensible comes back.
inline constexpr int silent_rounds = 5;    // while nothing is paid yet
inline constexpr int denied_rounds = 3;    // a wrong key does not get right by itself
inline constexpr int results_rounds = 60;  // while paid results lie there

}  // namespace fireworks
