// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE run
#include "run/job_queue.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep;

namespace {

// Arms a and b with `closed` + `open` requests each; ids "a0", "a1", ...
std::map<std::string, std::vector<RequestRow>> rows_of(int closed, int open) {
  std::map<std::string, std::vector<RequestRow>> out;
  for (const std::string arm : {"a", "b"}) {
    for (int i = 0; i < closed + open; ++i) {
      RequestRow row;
      row.request_id = arm + std::to_string(i);
      row.type = i < closed ? TaskType::closed_book : TaskType::open_book;
      out[arm].push_back(row);
    }
  }
  return out;
}

std::map<std::string, std::vector<std::string>> all_pending(
    const std::map<std::string, std::vector<RequestRow>>& rows) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& [arm, list] : rows) {
    for (const RequestRow& row : list) out[arm].push_back(row.request_id);
  }
  return out;
}

std::vector<Block> blocks() {
  return {{"a", TaskType::closed_book, 0, 4}, {"b", TaskType::closed_book, 0, 4},
          {"b", TaskType::closed_book, 4, 2}, {"a", TaskType::closed_book, 4, 2},
          {"a", TaskType::open_book, 0, 3},   {"b", TaskType::open_book, 0, 3}};
}

std::string text(const std::deque<PlannedJob>& jobs) {
  std::string out;
  for (const PlannedJob& job : jobs) {
    out += job.arm_id + ":";
    for (const RequestRow& row : job.rows) out += row.request_id + ",";
    out += " ";
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_block_is_a_job_in_plan_order) {
  const auto rows = rows_of(6, 3);
  BOOST_TEST(text(plan_jobs(blocks(), rows, all_pending(rows), {})) ==
             "a:a0,a1,a2,a3, b:b0,b1,b2,b3, b:b4,b5, a:a4,a5, a:a6,a7,a8, b:b6,b7,b8, ");
}

BOOST_AUTO_TEST_CASE(answered_requests_are_left_out) {
  const auto rows = rows_of(6, 3);
  auto pending = all_pending(rows);
  pending["a"] = {"a1", "a8"};
  pending.erase("b");
  BOOST_TEST(text(plan_jobs(blocks(), rows, pending, {})) == "a:a1, a:a8, ");
}

BOOST_AUTO_TEST_CASE(without_partial_fetch_an_arm_and_type_is_one_job) {
  const auto rows = rows_of(6, 3);
  JobLimits limits;
  limits.whole_arms = true;
  BOOST_TEST(text(plan_jobs(blocks(), rows, all_pending(rows), limits)) ==
             "a:a0,a1,a2,a3,a4,a5, b:b0,b1,b2,b3,b4,b5, a:a6,a7,a8, b:b6,b7,b8, ");
  limits.max_requests = 4;
  BOOST_TEST(text(plan_jobs(blocks(), rows, all_pending(rows), limits)) ==
             "a:a0,a1,a2,a3, a:a4,a5, b:b0,b1,b2,b3, b:b4,b5, a:a6,a7,a8, b:b6,b7,b8, ");
}

BOOST_AUTO_TEST_CASE(a_wish_merges_neighbours_of_one_arm_and_type_only) {
  const auto rows = rows_of(6, 3);
  JobLimits limits;
  limits.preferred_requests = 6;
  BOOST_TEST(text(plan_jobs(blocks(), rows, all_pending(rows), limits)) ==
             "a:a0,a1,a2,a3, b:b0,b1,b2,b3,b4,b5, a:a4,a5, a:a6,a7,a8, b:b6,b7,b8, ");
}

BOOST_AUTO_TEST_CASE(bytes_split_jobs) {
  const auto rows = rows_of(6, 0);
  JobLimits limits;
  limits.max_bytes = 250;
  limits.bytes_of = [](const std::string&, const RequestRow&) { return std::uint64_t{100}; };
  BOOST_TEST(text(plan_jobs({{"a", TaskType::closed_book, 0, 5}}, rows, all_pending(rows),
                            limits)) == "a:a0,a1, a:a2,a3, a:a4, ");
}
