// SPDX-License-Identifier: Apache-2.0
// What the emulator saw, for GET /_emulator/counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "settings.h"

namespace promptsweep::emulator {

class Counts {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Counts(const Settings& settings) : capacity_(settings.capacity) {}

  // Returns how many requests the route had before.
  std::uint64_t request(const std::string& route, const std::string& method_and_path);
  void begin();          // a request is in flight
  void end(int status);  // its reply is sent; 0: its client left
  void generation(std::uint64_t question_hash);
  void fault(const std::string& name) { ++faults_[name]; }
  void add(const std::string& event, std::uint64_t count = 1) { events_[event] += count; }

  // The service of chat requests: admit() asks whether the hidden capacity has room.
  bool admit();
  void enter_service();
  void leave_service();
  std::size_t in_service() const { return in_service_; }

  // Fireworks.
  void job_created(const std::string& id, std::uint64_t input_hash, std::size_t rows);
  void job_over(const std::string& id);  // it failed, expired or was cancelled
  void rows_paid(const std::string& id, const std::vector<std::uint64_t>& question_hashes);

  nlohmann::json json() const;

 private:
  struct Second {
    std::uint64_t served = 0, rejected = 0;
    double busy_seconds = 0;
  };
  struct Job {
    std::uint64_t input_hash = 0;
    std::size_t rows = 0, paid = 0;
    bool over = false;
  };
  Second& second(double time);
  void advance();  // accounts the time in service up to now
  std::size_t capacity(double time) const;

  std::vector<CapacityStep> capacity_;
  std::map<std::string, std::uint64_t> requests_, unknown_, faults_, events_;
  std::map<int, std::uint64_t> statuses_;
  std::uint64_t total_ = 0, rejected_ = 0, in_flight_ = 0, max_in_flight_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> generations_;

  bool started_ = false;
  Clock::time_point start_;
  double accounted_ = 0;
  std::size_t in_service_ = 0, max_in_service_ = 0;
  std::vector<Second> seconds_;

  std::map<std::string, Job> jobs_;
  std::vector<std::string> job_order_;
  std::uint64_t jobs_same_input_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> paid_;
};

}  // namespace promptsweep::emulator
