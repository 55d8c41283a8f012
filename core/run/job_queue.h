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
#include "records/request.h"

namespace promptsweep {

// One job to be: requests of one arm and one task type, in item order.
struct PlannedJob {
  std::string arm_id;
  TaskType type = TaskType::closed_book;
  std::vector<RequestRow> rows;
};

struct JobLimits {
  bool whole_arms = false;               // a backend without partial fetch: as few jobs as possible
  std::uint64_t max_requests = 0;        // 0: no limit
  std::uint64_t max_bytes = 0;           // 0: no limit; else `bytes_of` says how long a line is
  std::uint64_t preferred_requests = 0;  // consecutive blocks of an arm are merged up to this
  std::function<std::uint64_t(const std::string& arm_id, const RequestRow&)> bytes_of;
};

// `rows` are all requests of each arm in item order; `pending` the ids that still need an answer.
std::deque<PlannedJob> plan_jobs(const std::vector<Block>& blocks,
                                 const std::map<std::string, std::vector<RequestRow>>& rows,
                                 const std::map<std::string, std::vector<std::string>>& pending,
                                 const JobLimits& limits);

}  // namespace promptsweep
