// SPDX-License-Identifier: Apache-2.0
#include "counts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

constexpr std::size_t max_seconds = 100000;

Json answers_json(const std::unordered_map<std::uint64_t, std::uint32_t>& by_hash) {
  std::uint64_t all = 0;
  std::uint32_t most = 0;
  for (const auto& [hash, count] : by_hash) {
    all += count;
    most = std::max(most, count);
  }
  return {{"given", all},
          {"distinct", by_hash.size()},
          {"repeated", all - by_hash.size()},
          {"most_of_one", most}};
}

}  // namespace

std::uint64_t Counts::request(const std::string& route, const std::string& method_and_path) {
  ++total_;
  if (route.empty()) return unknown_[method_and_path]++;
  return requests_[route]++;
}

void Counts::begin() { max_in_flight_ = std::max(max_in_flight_, ++in_flight_); }

void Counts::end(int status) {
  --in_flight_;
  ++statuses_[status];
  if (status == 429 || status == 503) {
    ++rejected_;
    if (started_) {
      const double now = std::chrono::duration<double>(Clock::now() - start_).count();
      ++second(now).rejected;
    }
  }
}

void Counts::generation(std::uint64_t question_hash) { ++generations_[question_hash]; }

Counts::Second& Counts::second(double time) {
  const std::size_t at = std::min(static_cast<std::size_t>(std::max(time, 0.0)), max_seconds);
  if (seconds_.size() <= at) seconds_.resize(at + 1);
  return seconds_[at];
}

void Counts::advance() {
  if (!started_) {
    started_ = true;
    start_ = Clock::now();
    return;
  }
  const double now = std::chrono::duration<double>(Clock::now() - start_).count();
  while (accounted_ < now) {
    const double border = static_cast<double>(static_cast<std::size_t>(accounted_) + 1);
    const double until = std::min(border, now);
    second(accounted_).busy_seconds += (until - accounted_) * static_cast<double>(in_service_);
    accounted_ = until;
  }
}

std::size_t Counts::capacity(double time) const {
  std::size_t requests = capacity_.empty() ? 0 : capacity_.front().requests;
  for (const CapacityStep& step : capacity_) {
    if (time >= step.second) requests = step.requests;
  }
  return requests;
}

bool Counts::admit() {
  advance();
  return capacity_.empty() || in_service_ < capacity(accounted_);
}

void Counts::enter_service() {
  advance();
  max_in_service_ = std::max(max_in_service_, ++in_service_);
}

void Counts::leave_service() {
  advance();
  --in_service_;
  ++second(accounted_).served;
}

void Counts::job_created(const std::string& id, std::uint64_t input_hash, std::size_t rows) {
  for (const auto& [other, job] : jobs_) {
    if (job.input_hash == input_hash && !job.over) {
      ++jobs_same_input_;
      break;
    }
  }
  job_order_.push_back(id);
  jobs_[id] = {input_hash, rows, 0, false};
}

void Counts::job_over(const std::string& id) { jobs_[id].over = true; }

void Counts::rows_paid(const std::string& id, const std::vector<std::uint64_t>& question_hashes) {
  jobs_[id].paid += question_hashes.size();
  for (const std::uint64_t hash : question_hashes) ++paid_[hash];
}

Json Counts::json() const {
  Json out;
  out["requests"] = requests_;
  out["requests_total"] = total_;
  out["unknown_routes"] = unknown_;
  out["statuses"] = Json::object();
  for (const auto& [status, count] : statuses_) {
    out["statuses"][status ? std::to_string(status) : "client_left"] = count;
  }
  out["answers"] = answers_json(generations_);
  out["rejected"] = rejected_;
  out["max_in_flight"] = max_in_flight_;
  out["max_in_service"] = max_in_service_;
  out["faults"] = faults_;
  // Always there, so that a reader need not tell "none" from "not counted".
  for (const char* name :
       {"loads", "reloads", "unloads", "truncated_prompts", "creates_conflicted", "quota_refusals",
        "authorization_on_signed_urls", "bytes_uploaded", "bytes_downloaded"}) {
    out[name] = 0;
  }
  for (const auto& [name, count] : events_) out[name] = count;
  Json jobs = Json::array();
  std::uint64_t paid = 0;
  for (const std::string& id : job_order_) {
    const Job& job = jobs_.at(id);
    paid += job.paid;
    jobs.push_back({{"id", id}, {"rows", job.rows}, {"rows_paid", job.paid}, {"over", job.over}});
  }
  out["jobs"] = {{"created", job_order_.size()},
                 {"same_input", jobs_same_input_},
                 {"rows_paid", paid},
                 {"rows_paid_distinct", paid_.size()},
                 {"each", jobs}};
  Json seconds = Json::array();
  for (std::size_t i = 0; i < seconds_.size(); ++i) {
    const Second& s = seconds_[i];
    Json row = {{"second", i},
                {"served", s.served},
                {"rejected", s.rejected},
                {"in_service", s.busy_seconds}};
    if (!capacity_.empty()) row["capacity"] = capacity(static_cast<double>(i));
    seconds.push_back(std::move(row));
  }
  out["seconds"] = std::move(seconds);
  return out;
}

}  // namespace promptsweep::emulator
