// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/http/pace.h -- how many requests may be in flight: slow start, additive increase,
// multiplicative decrease on congestion and on a collapse of latency. No clock of its own and no
// thread: the caller says what happened and when.
#ifndef PROMPTSWEEP_HTTP_PACE_H_INCLUDED
#define PROMPTSWEEP_HTTP_PACE_H_INCLUDED

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace psw {
namespace http {

class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Pace(std::size_t max_in_flight, bool adaptive);

  std::size_t limit() const;
  bool may_send(std::size_t in_flight, Time now) const;
  void sent(Time now);
  // A reply came. `in_flight` counts it still.
  void succeeded(Time sent_at, Time now, std::size_t in_flight);
  // 429, 503, 529. One decrease a round trip, however many of them come.
  void congested(Time sent_at, Time now);
  void pause_until(Time when);

 private:
  // The members are the implementation's.
  std::size_t max_;
  bool adaptive_;
  double limit_;
};

}  // namespace http
}  // namespace psw

#endif
