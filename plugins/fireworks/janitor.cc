// SPDX-License-Identifier: Apache-2.0
#include "janitor.h"

#include <algorithm>
#include <thread>

namespace fireworks {
namespace {

constexpr std::chrono::milliseconds most_at_end{8000};

}  // namespace

Janitor::Janitor(Wire& wire, const Options& options, Log log)
    : wire_(wire), options_(options), log_(std::move(log)) {}

void Janitor::add(Leftovers leftovers, std::function<bool()> all_taken) {
  if (options_.cleanup == Cleanup::keep || leftovers.jobs.empty()) return;
  if (options_.cleanup == Cleanup::after_success && !leftovers.all_answered) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.push_back({std::move(leftovers), std::move(all_taken), std::nullopt});
}

std::vector<Leftovers> Janitor::due(Time now, std::chrono::milliseconds settled) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Leftovers> out;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (!entry->taken_at && entry->all_taken()) entry->taken_at = now;
    if (entry->taken_at && now - *entry->taken_at >= settled) {
      out.push_back(std::move(entry->leftovers));
      entry = entries_.erase(entry);
    } else {
      ++entry;
    }
  }
  return out;
}

// The job that is looked up by its key goes last of the jobs, and the data after all jobs.
bool Janitor::remove(Control& control, const Leftovers& leftovers) {
  const auto gone = [&](const std::string& what, const http::Reply& reply) {
    const Came came = came_of(reply);
    if (came == Came::good || came == Came::absent) return true;
    log_("left at the provider: " + what);
    return false;
  };
  for (auto job = leftovers.jobs.rbegin(); job != leftovers.jobs.rend(); ++job) {
    if (!gone("job " + *job, control.delete_job(*job))) return false;
  }
  for (const std::string& dataset : leftovers.datasets) {
    if (!gone("dataset " + dataset, control.delete_dataset(dataset))) return false;
  }
  return true;
}

void Janitor::sweep(Time now, const std::function<bool()>& should_stop) {
  Control control(wire_, options_.base_url, options_.account_id, should_stop);
  for (const Leftovers& leftovers : due(now, settling)) {
    if (!remove(control, leftovers)) return;
  }
}

void Janitor::finish() {
  const Time began = std::chrono::steady_clock::now();
  due(began, std::chrono::hours(24 * 365));  // notes what has been taken by now
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                  [](const Entry& entry) { return !entry.taken_at; }),
                   entries_.end());
    if (entries_.empty()) return;
  }
  std::this_thread::sleep_for(settling_at_end);
  const auto too_late = [&] { return std::chrono::steady_clock::now() - began > most_at_end; };
  Control control(wire_, options_.base_url, options_.account_id, too_late);
  for (const Leftovers& leftovers : due(std::chrono::steady_clock::now(), settling_at_end)) {
    if (!remove(control, leftovers)) return;
  }
}

}  // namespace fireworks
