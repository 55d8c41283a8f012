// SPDX-License-Identifier: Apache-2.0
// The order of execution: blocks of the arms of one engine, seeded and interleaved.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "records/plan.h"

namespace promptsweep {

struct BlockCounts {
  std::string arm_id;
  std::string engine_id;
  double temperature = 0;
  std::int64_t closed_book = 0;  // requests of that type
  std::int64_t open_book = 0;
  int samples_per_item = 1;  // an item's samples stay in one block
};

// Engines stay together (a model is loaded once). Within an engine, temperature by temperature:
// interleaved: the k-th blocks of all arms in a seeded order, k ascending, so that every arm
// advances at the same pace and drift does not line up with an arm. blocked: arm after arm.
// `block_size` counts items.
std::vector<Block> order_blocks(const std::vector<BlockCounts>& arms, std::int64_t block_size,
                                bool interleaved, std::uint64_t seed);

}  // namespace promptsweep
