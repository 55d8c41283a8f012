// SPDX-License-Identifier: Apache-2.0
//
// The limit moves once a round: the time in which half of what may be in flight (in slow start all
// of it) was sent anew and replied to, and at least eight were. A round in which the limit was not
// reached teaches nothing and changes nothing.
//
// Growing: the limit doubles round by round (slow start), or, past a ceiling, grows by 1, 2, 4, ...
// Growth goes on while it brings replies; when the limit has grown by a third, latency with it, and
// the rate of replies has not, it is taken back.
//
// Congestion: whatever is in flight besides the refused request is what the server took, hence its
// capacity. The limit falls a little below and comes back up to this ceiling within a few rounds;
// it holds there, then tries what is above. A burst of refusals counts once; its later ones only
// make the ceiling more exact, down to half of what was in flight. The time to hold keeps
// the refused below a few in a hundred: a try costs about two refusals, a round trip has as many
// replies as the limit.
//
// Collapse: a median of several times the best one means that requests queue. The limit is lowered
// by a third and what is lost by that is looked at: replies as fast as before, then it stays; else
// the requests have become longer and not the queue, and it goes back.
#include <promptsweep/http/pace.h>

#include <algorithm>
#include <cmath>

namespace psw {
namespace http {
namespace {

constexpr double first_limit = 4;
constexpr double below_ceiling = 0.95;
constexpr double collapse = 3;  // times the best median
constexpr double after_collapse = 0.7;
constexpr double forgetting = 0.01;  // of the best median, a round
constexpr std::size_t latest_times = 64;
constexpr std::size_t enough_replies = 32;  // for a rate and a median that mean something
constexpr double few_replies = 8;
constexpr double notable_growth = 1.3;  // of the limit, for replies to be faster
constexpr double first_base = 16;       // the first limit whose replies are compared

double seconds(Pace::Time::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Pace::Pace(std::size_t max_in_flight, bool adaptive)
    : max_(double(std::max<std::size_t>(max_in_flight, 1))),
      adaptive_(adaptive),
      limit_(adaptive ? std::min(first_limit, max_) : max_) {
  times_s_.reserve(latest_times);
}

std::size_t Pace::limit() const { return std::size_t(std::max(1.0, std::floor(limit_ + 0.5))); }

bool Pace::may_send(std::size_t in_flight, Time now) const {
  return in_flight < limit() && now >= paused_until_;
}

void Pace::pause_until(Time when) { paused_until_ = std::max(paused_until_, when); }

void Pace::set_limit(double limit) { limit_ = std::clamp(limit, 1.0, max_); }

void Pace::succeeded(Time sent_at, Time now, std::size_t in_flight) {
  if (!adaptive_) return;
  if (!round_begun_) {
    round_begun_ = true;
    round_began_ = sent_at;
  }
  if (in_flight >= limit()) limit_was_reached_ = true;
  if (sent_at < round_began_) return;
  const float took = float(seconds(now - sent_at));
  if (times_s_.size() < latest_times) {
    times_s_.push_back(took);
  } else {
    times_s_[replies_ % latest_times] = took;
  }
  ++replies_;
  if (double(replies_) >= replies_of_round()) end_round(now);
}

// Rates and medians are compared only where enough replies make them mean something; where nothing
// is compared, shorter rounds do.
double Pace::replies_of_round() const {
  switch (phase_) {
    case Phase::growing: {
      const bool slow_start = step_ == 0;
      const bool compares = base_.replies >= enough_replies ? limit_ >= notable_growth * base_.limit
                                                            : limit_ >= first_base;
      const double least = compares ? double(enough_replies) : slow_start ? 1 : few_replies;
      return std::max(slow_start ? limit_ : limit_ / 2, least);
    }
    case Phase::holding:
      return std::max(limit_ / 2, limit_ < ceiling_ ? few_replies : double(enough_replies));
    case Phase::checking:
      return std::max(limit_ / 2, settling_ > 0 ? few_replies : double(enough_replies));
  }
  return limit_;
}

double Pace::median_of_round() {
  const auto middle = times_s_.begin() + std::ptrdiff_t(times_s_.size() / 2);
  std::nth_element(times_s_.begin(), middle, times_s_.end());
  return double(*middle);
}

void Pace::end_round(Time now) {
  Round round;
  round.limit = limit_;
  round.replies = replies_;
  round.median_s = median_of_round();
  const double length = std::max(seconds(now - round_began_), 1e-9);
  round.per_second = double(replies_) / length;
  const bool used = limit_was_reached_;
  round_began_ = now;
  replies_ = 0;
  times_s_.clear();
  limit_was_reached_ = false;
  if (round.replies >= enough_replies) {
    best_s_ = best_s_ == 0 ? round.median_s : std::min(round.median_s, best_s_ * (1 + forgetting));
  }
  if (!used) return;
  switch (phase_) {
    case Phase::growing:
      return grow(round);
    case Phase::holding:
      return hold(round);
    case Phase::checking:
      return check(round);
  }
}

void Pace::start_growing(const Round& base, double step) {
  phase_ = Phase::growing;
  base_ = base;
  step_ = step;
}

void Pace::start_holding(double ceiling) {
  phase_ = Phase::holding;
  ceiling_ = ceiling;
  held_ = 0;
}

void Pace::grow(const Round& round) {
  const bool comparable = base_.replies >= enough_replies && round.replies >= enough_replies;
  if (comparable && round.limit >= notable_growth * base_.limit) {
    const double grown = round.limit / base_.limit;
    const bool faster = round.per_second >= base_.per_second * (1 + 0.25 * (grown - 1));
    if (!faster && round.median_s >= 1.4 * base_.median_s) {
      patience_ = std::min(patience_ * 2, 8.0);
      set_limit(base_.limit);
      return start_holding(base_.limit);
    }
    patience_ = 1;
    base_ = round;
  } else if (base_.replies < enough_replies) {
    base_ = round;  // until one has enough
  }
  const bool slow_start = step_ == 0;
  set_limit(limit_ + (slow_start ? limit_ : step_));
  if (!slow_start) step_ *= 2;
}

double Pace::trips_to_hold() const { return (8 + 32 / std::max(ceiling_, 1.0)) * patience_; }

void Pace::hold(const Round& round) {
  if (limit_ < ceiling_) {
    return set_limit(std::min(ceiling_, limit_ + std::max(1.0, (ceiling_ - limit_) / 2)));
  }
  if (round.replies >= enough_replies && round.median_s >= collapse * best_s_ && limit_ > 1) {
    phase_ = Phase::checking;
    base_ = round;
    settling_ = 2;
    return set_limit(after_collapse * limit_);
  }
  held_ += double(round.replies) / limit_;
  if (held_ >= trips_to_hold()) {
    start_growing(round, 1);
    grow(round);
  }
}

void Pace::check(const Round& round) {
  if (settling_-- > 0) return;
  if (round.per_second >= 0.9 * base_.per_second) return start_holding(limit_);
  best_s_ = round.median_s;
  set_limit(base_.limit);
  start_holding(limit_);
}

void Pace::congested(Time sent_at, Time now, std::size_t in_flight) {
  if (!adaptive_) return;
  const double taken = std::max(1.0, double(in_flight) - 1);
  if (was_lowered_ && sent_at < lowered_at_) {
    ceiling_ = std::min(ceiling_, std::max(floor_, taken));
    return set_limit(std::min(limit_, ceiling_));
  }
  was_lowered_ = true;
  lowered_at_ = now;
  floor_ = std::max(1.0, taken / 2);
  set_limit(std::min(limit_, taken) * below_ceiling);
  start_holding(std::min(taken, max_));
  patience_ = 1;
  round_began_ = now;
  round_begun_ = true;
  replies_ = 0;
  times_s_.clear();
  limit_was_reached_ = false;
}

}  // namespace http
}  // namespace psw
