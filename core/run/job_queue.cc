// SPDX-License-Identifier: Apache-2.0
#include "run/job_queue.h"

#include <algorithm>
#include <set>
#include <utility>

namespace promptsweep {
namespace {

using RowsByType = std::map<std::pair<std::string, TaskType>, std::vector<RequestRow>>;

RowsByType split_by_type(const std::map<std::string, std::vector<RequestRow>>& rows) {
  RowsByType out;
  for (const auto& [arm, all] : rows) {
    for (const RequestRow& row : all) out[{arm, row.type}].push_back(row);
  }
  return out;
}

// The pending rows of each block, blocks merged where the limits wish it.
std::vector<PlannedJob> merge_blocks(const std::vector<Block>& blocks, const RowsByType& rows,
                                     const std::map<std::string, std::set<std::string>>& pending,
                                     const JobLimits& limits) {
  std::vector<PlannedJob> out;
  std::map<std::pair<std::string, TaskType>, std::size_t> whole;  // arm and type -> index in out
  for (const Block& block : blocks) {
    const auto of_arm = rows.find({block.arm_id, block.type});
    const auto wanted = pending.find(block.arm_id);
    if (of_arm == rows.end() || wanted == pending.end()) continue;
    std::vector<RequestRow> chosen;
    const auto& all = of_arm->second;
    const auto last =
        std::min<std::int64_t>(block.first + block.count, static_cast<std::int64_t>(all.size()));
    for (std::int64_t i = block.first; i < last; ++i) {
      const RequestRow& row = all[static_cast<std::size_t>(i)];
      if (wanted->second.contains(row.request_id)) chosen.push_back(row);
    }
    if (chosen.empty()) continue;

    PlannedJob* target = nullptr;
    if (limits.whole_arms) {
      const auto found = whole.find({block.arm_id, block.type});
      if (found != whole.end()) target = &out[found->second];
    } else if (!out.empty() && out.back().arm_id == block.arm_id && out.back().type == block.type &&
               out.back().rows.size() + chosen.size() <= limits.preferred_requests) {
      target = &out.back();
    }
    if (target == nullptr) {
      whole[{block.arm_id, block.type}] = out.size();
      out.push_back({block.arm_id, block.type, std::move(chosen)});
    } else {
      target->rows.insert(target->rows.end(), chosen.begin(), chosen.end());
    }
  }
  return out;
}

void split_to_limits(PlannedJob job, const JobLimits& limits, std::deque<PlannedJob>& out) {
  PlannedJob part{job.arm_id, job.type, {}};
  std::uint64_t bytes = 0;
  for (RequestRow& row : job.rows) {
    const std::uint64_t size = limits.max_bytes > 0 ? limits.bytes_of(job.arm_id, row) : 0;
    const bool full = (limits.max_requests > 0 && part.rows.size() >= limits.max_requests) ||
                      (limits.max_bytes > 0 && bytes + size > limits.max_bytes);
    if (full && !part.rows.empty()) {
      out.push_back(std::exchange(part, PlannedJob{job.arm_id, job.type, {}}));
      bytes = 0;
    }
    bytes += size;
    part.rows.push_back(std::move(row));
  }
  if (!part.rows.empty()) out.push_back(std::move(part));
}

}  // namespace

std::deque<PlannedJob> plan_jobs(const std::vector<Block>& blocks,
                                 const std::map<std::string, std::vector<RequestRow>>& rows,
                                 const std::map<std::string, std::vector<std::string>>& pending,
                                 const JobLimits& limits) {
  std::map<std::string, std::set<std::string>> wanted;
  for (const auto& [arm, ids] : pending) wanted[arm].insert(ids.begin(), ids.end());
  std::deque<PlannedJob> out;
  for (PlannedJob& job : merge_blocks(blocks, split_by_type(rows), wanted, limits)) {
    // A retried item's rows may lie in several merged blocks; item order is kept by construction.
    split_to_limits(std::move(job), limits, out);
  }
  return out;
}

}  // namespace promptsweep
