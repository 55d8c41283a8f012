// SPDX-License-Identifier: Apache-2.0
//
// Pace against simulated servers on a virtual clock. Deterministic.
#include <promptsweep/http/pace.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <ostream>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace {

using psw::http::Pace;
using std::chrono::duration;

// A server that serves `capacity(t)` requests at once and refuses what is above, or queues it.
struct Server {
  std::function<double(double)> capacity;  // at a time in seconds
  std::vector<double> changes;             // of the capacity, in seconds
  double shortest_s = 0.05, longest_s = 0.05;
  bool queues = false;         // instead of refusing
  double longer_from_s = 1e9;  // from then on requests take ten times as long
};

struct Outcome {
  double used = 0;     // of the capacity, from 10 s after the start and each change on
  double refused = 0;  // of the requests sent
  std::size_t limit_at_end = 0, highest_limit = 0;
  double queue_at_end = 0;
};

// As many requests as are wanted are at hand all the time (`wanted` limits how many at once).
class Simulation {
 public:
  Simulation(Server server, std::size_t max_in_flight, std::size_t wanted = SIZE_MAX)
      : server_(std::move(server)), pace_(max_in_flight, true), wanted_(wanted) {}

  Outcome run(double until_s) {
    while (now_ < until_s) {
      while (in_flight_ < wanted_ && pace_.may_send(in_flight_, at(now_))) send();
      outcome_.highest_limit = std::max(outcome_.highest_limit, pace_.limit());
      BOOST_REQUIRE(!events_.empty());
      const Event event = events_.top();
      account(std::min(event.at, until_s));
      now_ = event.at;
      events_.pop();
      happen(event);
    }
    outcome_.used = used_s_ / std::max(capacity_s_, 1e-9);
    outcome_.refused = double(refused_) / double(sent_);
    outcome_.limit_at_end = pace_.limit();
    outcome_.queue_at_end = double(queue_.size());
    return outcome_;
  }

 private:
  static constexpr double way_s = 0.0002;  // from client to server, and back
  enum class Kind { arrives, served, reply_comes, refusal_comes };
  struct Event {
    double at;
    Kind kind;
    double sent_at;
    bool operator<(const Event& other) const { return at > other.at; }
  };

  static Pace::Time at(double s) {
    return Pace::Time(std::chrono::duration_cast<Pace::Time::duration>(duration<double>(s)));
  }
  double service_time() {
    std::uniform_real_distribution<double> time(server_.shortest_s, server_.longest_s);
    return time(random_) * (now_ >= server_.longer_from_s ? 10 : 1);
  }
  void send() {
    ++in_flight_;
    ++sent_;
    events_.push({now_ + way_s, Kind::arrives, now_});
  }
  void serve(double sent_at) {
    ++serving_;
    events_.push({now_ + service_time(), Kind::served, sent_at});
  }
  void happen(const Event& event) {
    switch (event.kind) {
      case Kind::arrives:
        if (double(serving_) < server_.capacity(now_)) {
          serve(event.sent_at);
        } else if (server_.queues) {
          queue_.push(event.sent_at);
        } else {
          ++refused_;
          events_.push({now_ + way_s, Kind::refusal_comes, event.sent_at});
        }
        return;
      case Kind::served:
        --serving_;
        events_.push({now_ + way_s, Kind::reply_comes, event.sent_at});
        if (!queue_.empty() && double(serving_) < server_.capacity(now_)) {
          serve(queue_.front());
          queue_.pop();
        }
        return;
      case Kind::reply_comes:
        pace_.succeeded(at(event.sent_at), at(now_), in_flight_--);
        return;
      case Kind::refusal_comes:
        pace_.congested(at(event.sent_at), at(now_), in_flight_--);
        return;
    }
  }
  void account(double until) {
    double last_change = 0;
    for (const double change : server_.changes) {
      if (change <= now_) last_change = change;
    }
    if (now_ < last_change + 10) return;
    used_s_ += std::min(double(serving_), server_.capacity(now_)) * (until - now_);
    capacity_s_ += server_.capacity(now_) * (until - now_);
  }

  Server server_;
  Pace pace_;
  std::size_t wanted_;
  std::mt19937_64 random_{7};
  double now_ = 0;
  std::size_t in_flight_ = 0, serving_ = 0, sent_ = 0, refused_ = 0;
  double used_s_ = 0, capacity_s_ = 0;
  std::priority_queue<Event> events_;
  std::queue<double> queue_;
  Outcome outcome_;
};

struct Shape {
  const char* name;
  std::vector<double> factors;  // of the capacity, 20 s each
};

Server server_of(double capacity, double shortest_s, double longest_s, const Shape& shape) {
  Server server;
  server.shortest_s = shortest_s;
  server.longest_s = longest_s;
  const std::vector<double> factors = shape.factors;
  server.capacity = [capacity, factors](double s) {
    return std::floor(capacity * factors[std::min(std::size_t(s / 20), factors.size() - 1)]);
  };
  for (std::size_t i = 1; i < factors.size(); ++i) server.changes.push_back(20.0 * double(i));
  return server;
}

const std::vector<Shape> shapes = {
    {"steady", {1, 1}},
    {"doubles", {1, 2}},
    {"halves", {1, 0.5}},
    {"halves, doubles", {1, 0.5, 1, 2, 1}},
    {"falls to a fifth", {1, 0.2}},
    {"grows fourfold", {1, 4}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(pace)

BOOST_AUTO_TEST_CASE(a_hidden_capacity_is_used_and_seldom_exceeded) {
  const std::vector<std::pair<double, double>> service_times = {
      {0.005, 0.005}, {0.05, 0.05}, {0.2, 0.2}, {0.005, 0.2}};
  for (const double capacity : {1.0, 8.0, 50.0, 400.0}) {
    for (const auto& [shortest, longest] : service_times) {
      for (const Shape& shape : shapes) {
        if (capacity * *std::min_element(shape.factors.begin(), shape.factors.end()) < 1) continue;
        // Tens of thousands of requests a second differ from thousands in nothing but test time.
        if (capacity / longest > 5000) continue;
        const double length = 20.0 * double(shape.factors.size());
        const Outcome outcome =
            Simulation(server_of(capacity, shortest, longest, shape), 4096).run(length);
        BOOST_TEST_CONTEXT("capacity " << capacity << ", " << shortest << " to " << longest
                                       << " s, " << shape.name) {
          BOOST_TEST(outcome.used >= 0.9);
          BOOST_TEST(outcome.refused < 0.05);
        }
        BOOST_TEST_MESSAGE("capacity " << capacity << ", " << shortest << " to " << longest
                                       << " s, " << shape.name << ": used " << outcome.used
                                       << ", refused " << outcome.refused << ", limit "
                                       << outcome.limit_at_end);
      }
    }
  }
}

// A server that queues instead of refusing gains nothing by a long queue.
BOOST_AUTO_TEST_CASE(a_queue_that_brings_nothing_is_not_fed) {
  for (const double capacity : {4.0, 16.0, 64.0}) {
    for (const double spread : {0.0, 0.5}) {
      Server server;
      server.capacity = [capacity](double) { return capacity; };
      server.shortest_s = 0.1 * (1 - spread);
      server.longest_s = 0.1 * (1 + spread);
      server.queues = true;
      const Outcome outcome = Simulation(server, 2048).run(60);
      BOOST_TEST_CONTEXT("capacity " << capacity << ", spread " << spread) {
        BOOST_TEST(outcome.used >= 0.95);
        BOOST_TEST(outcome.queue_at_end <= std::max(32.0, 4 * capacity));
      }
      BOOST_TEST_MESSAGE("queueing " << capacity << ": used " << outcome.used << ", queue "
                                     << outcome.queue_at_end << ", highest limit "
                                     << outcome.highest_limit);
    }
  }
}

BOOST_AUTO_TEST_CASE(requests_that_become_longer_are_no_collapse) {
  Server server;
  server.capacity = [](double) { return 32.0; };
  server.longer_from_s = 20;
  server.changes = {20};
  const Outcome outcome = Simulation(server, 1024).run(100);
  BOOST_TEST(outcome.used >= 0.9);
  BOOST_TEST(outcome.refused < 0.05);
}

BOOST_AUTO_TEST_CASE(an_unused_limit_does_not_grow) {
  Server server;
  server.capacity = [](double) { return 1000.0; };
  const Outcome outcome = Simulation(server, 1024, 3).run(30);
  BOOST_TEST(outcome.highest_limit == 4u);
  const Outcome more = Simulation(server, 1024, 20).run(30);
  BOOST_TEST(more.highest_limit >= 20u);
  BOOST_TEST(more.highest_limit <= 40u);
}

BOOST_AUTO_TEST_CASE(no_more_than_the_most_are_in_flight) {
  Server server;
  server.capacity = [](double) { return 1e9; };
  const Outcome outcome = Simulation(server, 100).run(30);
  BOOST_TEST(outcome.highest_limit == 100u);
  BOOST_TEST(outcome.limit_at_end == 100u);
}

BOOST_AUTO_TEST_CASE(a_burst_of_refusals_halves_at_most) {
  Pace pace(64, true);
  const auto start = Pace::Time() + std::chrono::hours(1);
  auto now = start;
  while (pace.limit() < 64) {
    now += std::chrono::milliseconds(10);
    pace.succeeded(now - std::chrono::milliseconds(1), now, pace.limit());
    BOOST_REQUIRE(now < start + std::chrono::minutes(1));
  }
  const auto sent = now;
  for (std::size_t i = 0; i < 64; ++i) {
    now += std::chrono::microseconds(10);
    pace.congested(sent, now, 64 - i);
  }
  BOOST_TEST(pace.limit() >= 31u);
  BOOST_TEST(pace.limit() <= 33u);
  // One that was sent after that counts anew.
  pace.congested(now + std::chrono::milliseconds(1), now + std::chrono::milliseconds(2), 32);
  BOOST_TEST(pace.limit() < 31u);
  BOOST_TEST(pace.limit() >= 28u);
}

BOOST_AUTO_TEST_CASE(a_fixed_limit_stays) {
  Pace pace(17, false);
  const auto now = Pace::Time() + std::chrono::hours(1);
  for (int i = 0; i < 100; ++i) pace.congested(now, now + std::chrono::seconds(i), 17);
  BOOST_TEST(pace.limit() == 17u);
  BOOST_TEST(pace.may_send(16, now));
  BOOST_TEST(!pace.may_send(17, now));
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_in_a_pause) {
  Pace pace(8, true);
  const auto now = Pace::Time() + std::chrono::hours(1);
  pace.pause_until(now + std::chrono::seconds(2));
  pace.pause_until(now + std::chrono::seconds(1));  // the later one counts
  BOOST_TEST(!pace.may_send(0, now));
  BOOST_TEST(!pace.may_send(0, now + std::chrono::milliseconds(1999)));
  BOOST_TEST(pace.may_send(0, now + std::chrono::seconds(2)));
}

BOOST_AUTO_TEST_SUITE_END()
