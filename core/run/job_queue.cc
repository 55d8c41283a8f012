// SPDX-License-Identifier: Apache-2.0
#include "run/job_queue.h"

#include <algorithm>
#include <utility>

namespace promptsweep {
namespace {

using ArmType = std::pair<std::string, TaskType>;

// Where the requests of each arm and task type lie in the arm's item order.
std::map<ArmType, std::vector<std::int64_t>> positions_by_type(const ArmRequests& arms) {
  std::map<ArmType, std::vector<std::int64_t>> out;
  for (const auto& [arm, states] : arms) {
    for (std::size_t i = 0; i < states->size(); ++i) {
      out[{arm, (*states)[i].type}].push_back(static_cast<std::int64_t>(i));
    }
  }
  return out;
}

std::vector<std::int64_t> pending_of(const Block& block, const std::vector<std::int64_t>& all,
                                     const std::vector<ArmStore::RequestState>& states) {
  std::vector<std::int64_t> out;
  const auto last =
      std::min<std::int64_t>(block.first + block.count, static_cast<std::int64_t>(all.size()));
  for (std::int64_t i = block.first; i < last; ++i) {
    const std::int64_t position = all[static_cast<std::size_t>(i)];
    const ArmStore::RequestState& state = states[static_cast<std::size_t>(position)];
    if (!state.accepted && !state.in_job) out.push_back(position);
  }
  return out;
}

// The pending requests of each block, blocks merged where the limits wish it.
std::vector<PlannedJob> merge_blocks(const std::vector<Block>& blocks, const ArmRequests& arms,
                                     const std::map<ArmType, std::vector<std::int64_t>>& positions,
                                     const JobLimits& limits) {
  std::vector<PlannedJob> out;
  std::map<ArmType, std::size_t> latest;  // of each arm and type, index into out
  for (const Block& block : blocks) {
    const auto of_type = positions.find({block.arm_id, block.type});
    if (of_type == positions.end()) continue;
    std::vector<std::int64_t> chosen = pending_of(block, of_type->second, *arms.at(block.arm_id));
    if (chosen.empty()) continue;

    // Blocks of paired arms alternate: a job takes the next ones of its own arm, and the jobs of
    // the arms then alternate as their blocks did.
    PlannedJob* target = nullptr;
    if (const auto found = latest.find(of_type->first); found != latest.end()) {
      PlannedJob& before = out[found->second];
      const bool fits = before.positions.size() + chosen.size() <= limits.preferred_requests;
      if (limits.whole_arms || fits) target = &before;
    }
    if (target == nullptr) {
      latest[of_type->first] = out.size();
      out.push_back({block.arm_id, block.type, std::move(chosen)});
    } else {
      target->positions.insert(target->positions.end(), chosen.begin(), chosen.end());
    }
  }
  return out;
}

void split_to_limits(const PlannedJob& job, std::uint64_t max_requests, const JobLimits& limits,
                     std::deque<PlannedJob>& out) {
  PlannedJob part{job.arm_id, job.type, {}};
  std::uint64_t bytes = 0;
  for (const std::int64_t position : job.positions) {
    const std::uint64_t size = limits.max_bytes > 0 ? limits.bytes_of(job.arm_id, position) : 0;
    const bool full = (max_requests > 0 && part.positions.size() >= max_requests) ||
                      (limits.max_bytes > 0 && bytes + size > limits.max_bytes);
    if (full && !part.positions.empty()) {
      out.push_back(std::exchange(part, PlannedJob{job.arm_id, job.type, {}}));
      bytes = 0;
    }
    bytes += size;
    part.positions.push_back(position);
  }
  if (!part.positions.empty()) out.push_back(std::move(part));
}

// A part's size comes from all requests of the type, not from those that are left: the parts of a
// resumed run are no smaller than those of a fresh one.
std::uint64_t most_requests(const JobLimits& limits, std::size_t of_type) {
  std::uint64_t most = limits.max_requests;
  if (limits.whole_arms && limits.parts > 0) {
    const auto parts = static_cast<std::uint64_t>(limits.parts);
    const std::uint64_t part = (of_type + parts - 1) / parts;
    most = most == 0 ? part : std::min(most, part);
  }
  return most;
}

}  // namespace

std::deque<PlannedJob> plan_jobs(const std::vector<Block>& blocks, const ArmRequests& arms,
                                 const JobLimits& limits) {
  const auto positions = positions_by_type(arms);
  std::deque<PlannedJob> out;
  for (const PlannedJob& job : merge_blocks(blocks, arms, positions, limits)) {
    const std::size_t of_type = positions.at({job.arm_id, job.type}).size();
    split_to_limits(job, most_requests(limits, of_type), limits, out);
  }
  return out;
}

}  // namespace promptsweep
