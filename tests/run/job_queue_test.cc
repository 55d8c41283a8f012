// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE run
#include "run/job_queue.h"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace promptsweep;

namespace {

using States = std::map<std::string, std::vector<ArmStore::RequestState>>;

// Arms a and b with `closed` + `open` requests each, all of them pending.
States states_of(int closed, int open) {
  States out;
  for (const std::string arm : {"a", "b"}) {
    for (int i = 0; i < closed + open; ++i) {
      out[arm].push_back({i < closed ? TaskType::closed_book : TaskType::open_book, false, false});
    }
  }
  return out;
}

std::deque<PlannedJob> plan(const std::vector<Block>& blocks, const States& states,
                            const JobLimits& limits) {
  ArmRequests arms;
  for (const auto& [arm, list] : states) arms.emplace(arm, &list);
  return plan_jobs(blocks, arms, limits);
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
    for (const std::int64_t at : job.positions) out += job.arm_id + std::to_string(at) + ",";
    out += " ";
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_block_is_a_job_in_plan_order) {
  const auto states = states_of(6, 3);
  BOOST_TEST(text(plan(blocks(), states, {})) ==
             "a:a0,a1,a2,a3, b:b0,b1,b2,b3, b:b4,b5, a:a4,a5, a:a6,a7,a8, b:b6,b7,b8, ");
}

BOOST_AUTO_TEST_CASE(what_is_answered_or_in_a_job_is_left_out) {
  auto states = states_of(6, 3);
  for (const std::size_t i : {0u, 2u, 4u, 5u}) states["a"][i].accepted = true;
  for (const std::size_t i : {3u, 6u, 7u}) states["a"][i].in_job = true;
  states.erase("b");
  BOOST_TEST(text(plan(blocks(), states, {})) == "a:a1, a:a8, ");
}

BOOST_AUTO_TEST_CASE(without_partial_fetch_an_arm_and_type_is_one_job) {
  const auto states = states_of(6, 3);
  JobLimits limits;
  limits.whole_arms = true;
  BOOST_TEST(text(plan(blocks(), states, limits)) ==
             "a:a0,a1,a2,a3,a4,a5, b:b0,b1,b2,b3,b4,b5, a:a6,a7,a8, b:b6,b7,b8, ");
  limits.max_requests = 4;
  BOOST_TEST(text(plan(blocks(), states, limits)) ==
             "a:a0,a1,a2,a3, a:a4,a5, b:b0,b1,b2,b3, b:b4,b5, a:a6,a7,a8, b:b6,b7,b8, ");
}

BOOST_AUTO_TEST_CASE(parts_are_of_all_requests_also_when_some_are_answered) {
  auto states = states_of(6, 3);
  JobLimits limits;
  limits.parts = 2;
  // A wish about whole arms; a backend that takes blocks gets its blocks.
  BOOST_TEST(plan(blocks(), states, limits).size() == 6u);
  limits.whole_arms = true;
  BOOST_TEST(text(plan(blocks(), states, limits)) ==
             "a:a0,a1,a2, a:a3,a4,a5, b:b0,b1,b2, b:b3,b4,b5, a:a6,a7, a:a8, b:b6,b7, b:b8, ");
  states["a"][0].accepted = states["a"][1].accepted = true;
  states.erase("b");
  BOOST_TEST(text(plan(blocks(), states, limits)) == "a:a2,a3,a4, a:a5, a:a6,a7, a:a8, ");
}

BOOST_AUTO_TEST_CASE(a_wish_merges_the_next_blocks_of_one_arm_and_type_only) {
  const auto states = states_of(6, 3);
  JobLimits limits;
  limits.preferred_requests = 6;
  BOOST_TEST(text(plan(blocks(), states, limits)) ==
             "a:a0,a1,a2,a3,a4,a5, b:b0,b1,b2,b3,b4,b5, a:a6,a7,a8, b:b6,b7,b8, ");
}

BOOST_AUTO_TEST_CASE(bytes_split_jobs) {
  const auto states = states_of(6, 0);
  JobLimits limits;
  limits.max_bytes = 250;
  limits.bytes_of = [](const std::string&, std::int64_t) { return std::uint64_t{100}; };
  BOOST_TEST(text(plan({{"a", TaskType::closed_book, 0, 5}}, states, limits)) ==
             "a:a0,a1, a:a2,a3, a:a4, ");
}

// D4, D23, D31, D36: the original ran the first part of 9,999 rows, forgot parts beyond the 99th
// and their numbers. However an arm is cut, every request is in exactly one job.
BOOST_AUTO_TEST_CASE(d4_every_request_is_in_one_job_however_an_arm_is_cut) {
  const auto states = states_of(12'000, 500);
  const std::vector<Block> all{{"a", TaskType::closed_book, 0, 12'000},
                               {"b", TaskType::closed_book, 0, 12'000},
                               {"a", TaskType::open_book, 0, 500},
                               {"b", TaskType::open_book, 0, 500}};
  for (const bool whole_arms : {true, false}) {
    for (const std::uint64_t lines : {0, 1, 7, 9'999, 100'000}) {
      for (const int parts : {0, 3, 250}) {
        JobLimits limits;
        limits.whole_arms = whole_arms;
        limits.max_requests = lines;
        limits.parts = parts;
        std::set<std::pair<std::string, std::int64_t>> seen;
        std::size_t longest = 0;
        for (const PlannedJob& job : plan(all, states, limits)) {
          BOOST_REQUIRE(!job.positions.empty());
          longest = std::max(longest, job.positions.size());
          for (const std::int64_t at : job.positions) {
            BOOST_REQUIRE((at < 12'000) == (job.type == TaskType::closed_book));
            BOOST_REQUIRE(seen.emplace(job.arm_id, at).second);
          }
        }
        BOOST_TEST(seen.size() == 25'000u, lines << " lines, " << parts << " parts");
        if (lines > 0) BOOST_TEST(longest <= lines);
      }
    }
  }
}
