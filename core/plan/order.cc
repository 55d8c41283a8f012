// SPDX-License-Identifier: Apache-2.0
#include "plan/order.h"

#include <algorithm>
#include <map>

#include "base/digest.h"
#include "base/random.h"

namespace promptsweep {
namespace {

std::vector<Block> blocks_of(const BlockCounts& arm, std::int64_t block_items) {
  const std::int64_t block_size = block_items * arm.samples_per_item;
  std::vector<Block> out;
  for (TaskType type : {TaskType::closed_book, TaskType::open_book}) {
    const std::int64_t total = type == TaskType::closed_book ? arm.closed_book : arm.open_book;
    for (std::int64_t first = 0; first < total; first += block_size) {
      out.push_back({arm.arm_id, type, first, std::min(block_size, total - first)});
    }
  }
  return out;
}

std::vector<Block> interleave(std::vector<std::vector<Block>> by_arm, Random& random) {
  // One shuffled block order, the same for every arm: paired arms meet the same items at about the
  // same time, and closed- and open-book blocks mix.
  std::size_t longest = 0;
  for (const auto& blocks : by_arm) longest = std::max(longest, blocks.size());
  std::vector<std::size_t> order(longest);
  for (std::size_t i = 0; i < longest; ++i) order[i] = i;
  shuffle(order, random);

  std::vector<Block> out;
  for (std::size_t k : order) {
    std::vector<Block> round;
    for (const auto& blocks : by_arm) {
      if (k < blocks.size()) round.push_back(blocks[k]);
    }
    shuffle(round, random);
    out.insert(out.end(), round.begin(), round.end());
  }
  return out;
}

}  // namespace

std::vector<Block> order_blocks(const std::vector<BlockCounts>& arms, std::int64_t block_size,
                                bool interleaved, std::uint64_t seed) {
  // Groups in order of first appearance: engine, then temperature ascending.
  std::vector<std::string> engines;
  for (const BlockCounts& arm : arms) {
    if (std::find(engines.begin(), engines.end(), arm.engine_id) == engines.end()) {
      engines.push_back(arm.engine_id);
    }
  }
  std::vector<Block> out;
  for (const std::string& engine : engines) {
    std::map<double, std::vector<std::vector<Block>>> by_temperature;
    for (const BlockCounts& arm : arms) {
      if (arm.engine_id == engine) {
        by_temperature[arm.temperature].push_back(blocks_of(arm, block_size));
      }
    }
    for (auto& [temperature, by_arm] : by_temperature) {
      if (interleaved) {
        FieldHash hash;
        hash.add("block order")
            .add(std::to_string(seed))
            .add(engine)
            .add(format_number(temperature));
        Random random(content_seed(hash.bytes()));
        for (Block& block : interleave(std::move(by_arm), random)) out.push_back(std::move(block));
      } else {
        for (const auto& blocks : by_arm) out.insert(out.end(), blocks.begin(), blocks.end());
      }
    }
  }
  return out;
}

}  // namespace promptsweep
