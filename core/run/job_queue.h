// SPDX-License-Identifier: Apache-2.0
// From the plan's blocks and the requests that are still pending to jobs. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "records/plan.h"
#include "store/arm_store.h"

namespace promptsweep {

// One job to be: requests of one arm and one task type, in item order.
struct PlannedJob {
  std::string arm_id;
  TaskType type = TaskType::closed_book;
  std::vector<std::int64_t> positions;  // in the arm's item order
};

struct JobLimits {
  bool whole_arms = false;               // a backend without partial fetch: as few jobs as possible
  int parts = 0;                         // of whole arms: so many jobs a task type; 0: no wish
  std::uint64_t max_requests = 0;        // 0: no limit
  std::uint64_t max_bytes = 0;           // 0: no limit; else `bytes_of` says how long a line is
  std::uint64_t preferred_requests = 0;  // an arm's next blocks are merged up to this
  std::function<std::uint64_t(const std::string& arm_id, std::int64_t position)> bytes_of;
};

// By arm id; an arm that is not there has nothing pending.
using ArmRequests = std::map<std::string, const std::vector<ArmStore::RequestState>*>;

// The requests that are neither accepted nor in a job, in the order of their blocks.
std::deque<PlannedJob> plan_jobs(const std::vector<Block>& blocks, const ArmRequests& arms,
                                 const JobLimits& limits);

}  // namespace promptsweep
