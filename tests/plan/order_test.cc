// SPDX-License-Identifier: Apache-2.0
#include "plan/order.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

using namespace promptsweep;

namespace {

std::vector<BlockCounts> three_arms() {
  return {{"control", "engine", 0, 70, 33}, {"a", "engine", 0, 70, 33}, {"b", "engine", 0, 70, 33}};
}

std::vector<std::tuple<std::string, int, std::int64_t, std::int64_t>> plain(
    const std::vector<Block>& blocks) {
  std::vector<std::tuple<std::string, int, std::int64_t, std::int64_t>> out;
  for (const Block& b : blocks)
    out.emplace_back(b.arm_id, static_cast<int>(b.type), b.first, b.count);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(order)

BOOST_AUTO_TEST_CASE(every_request_is_in_exactly_one_block) {
  for (bool interleaved : {false, true}) {
    std::map<std::pair<std::string, TaskType>, std::set<std::int64_t>> seen;
    for (const Block& block : order_blocks(three_arms(), 32, interleaved, 7)) {
      BOOST_TEST(block.count <= 32);
      for (std::int64_t i = 0; i < block.count; ++i) {
        BOOST_TEST((seen[{block.arm_id, block.type}].insert(block.first + i).second));
      }
    }
    BOOST_TEST(seen.size() == 6u);
    for (const auto& [key, indices] : seen) {
      BOOST_TEST(indices.size() == (key.second == TaskType::closed_book ? 70u : 33u));
    }
  }
}

BOOST_AUTO_TEST_CASE(interleaved_arms_advance_at_the_same_pace) {
  std::map<std::string, int> blocks;
  for (const Block& block : order_blocks(three_arms(), 10, true, 7)) {
    ++blocks[block.arm_id];
    for (const auto& [arm, count] : blocks)
      BOOST_TEST(blocks[block.arm_id] - count <= 1 + 0 * count);
    if (blocks.size() == 3) {
      const auto [low, high] = std::minmax({blocks["control"], blocks["a"], blocks["b"]});
      BOOST_TEST(high - low <= 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_seed_alone_decides) {
  BOOST_TEST((plain(order_blocks(three_arms(), 10, true, 7)) ==
              plain(order_blocks(three_arms(), 10, true, 7))));
  BOOST_TEST((plain(order_blocks(three_arms(), 10, true, 7)) !=
              plain(order_blocks(three_arms(), 10, true, 8))));
}

BOOST_AUTO_TEST_CASE(blocked_runs_one_arm_after_the_other) {
  std::vector<std::string> order;
  for (const Block& block : order_blocks(three_arms(), 10, false, 7)) {
    if (order.empty() || order.back() != block.arm_id) order.push_back(block.arm_id);
  }
  BOOST_TEST((order == std::vector<std::string>{"control", "a", "b"}));
}

BOOST_AUTO_TEST_CASE(engines_and_temperatures_stay_together) {
  std::vector<BlockCounts> arms = three_arms();
  arms.push_back({"hot", "engine", 0.7, 20, 0});
  arms.push_back({"other", "engine 2", 0, 20, 0});
  std::string last;
  std::set<std::string> left;
  for (const Block& block : order_blocks(arms, 10, true, 7)) {
    const std::string group = block.arm_id == "hot"     ? "hot"
                              : block.arm_id == "other" ? "other"
                                                        : "first";
    if (group != last) {
      BOOST_TEST(left.insert(group).second);
      last = group;
    }
  }
  BOOST_TEST(left.size() == 3u);
}

BOOST_AUTO_TEST_CASE(the_samples_of_an_item_stay_in_one_block) {
  for (const Block& block : order_blocks({{"a", "e", 0.7, 90, 0, 3}}, 10, true, 7)) {
    BOOST_TEST(block.first % 3 == 0);
    BOOST_TEST(block.count == 30);
  }
}

BOOST_AUTO_TEST_SUITE_END()
