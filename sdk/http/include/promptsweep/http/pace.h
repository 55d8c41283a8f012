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
#include <vector>

namespace psw {
namespace http {

class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Pace(std::size_t max_in_flight, bool adaptive);

  std::size_t limit() const;
  bool may_send(std::size_t in_flight, Time now) const;
  // A reply came. `in_flight` counts it still.
  void succeeded(Time sent_at, Time now, std::size_t in_flight);
  // 429, 503, 529. One decrease a round trip, however many of them come. `in_flight` counts it
  // still: what else is in flight is what the server took.
  void congested(Time sent_at, Time now, std::size_t in_flight);
  void pause_until(Time when);

 private:
  enum class Phase { growing, holding, checking };

  // What one round of replies showed.
  struct Round {
    double limit = 0;       // that held in it
    double per_second = 0;  // replies
    double median_s = 0;    // of the time from sent to replied
    std::size_t replies = 0;
  };

  void end_round(Time now);
  void grow(const Round& round);
  void hold(const Round& round);
  void check(const Round& round);
  void start_growing(const Round& base, double step);
  void start_holding(double ceiling);
  void set_limit(double limit);
  double median_of_round();
  double replies_of_round() const;
  double trips_to_hold() const;

  const double max_;
  const bool adaptive_;
  double limit_;
  Time paused_until_{};

  // The round under way: replies to what was sent since it began.
  Time round_began_{};
  bool round_begun_ = false;
  bool limit_was_reached_ = false;
  std::size_t replies_ = 0;
  std::vector<float> times_s_;  // of the latest replies, at most a few dozen

  Phase phase_ = Phase::growing;
  Round base_;           // what growth, or a decrease under check, is compared with
  double step_ = 0;      // of the growth; doubles round by round
  double ceiling_ = 0;   // where congestion was met
  double held_ = 0;      // round trips at the ceiling
  double patience_ = 1;  // multiplies the time to hold after growth that brought nothing
  int settling_ = 0;     // rounds that a change of the limit takes to show
  double best_s_ = 0;    // the best median so far, slowly forgotten

  // One decrease a round trip.
  Time lowered_at_{};
  bool was_lowered_ = false;
  double floor_ = 1;  // of what one burst of refusals may lower it to
};

}  // namespace http
}  // namespace psw

#endif
