// SPDX-License-Identifier: Apache-2.0
// Decoding settings: what is asked of the sampler.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/item.h"

namespace promptsweep {

struct TokenLimits {
  int closed_book = 1024;
  int open_book = 1024;

  int of(TaskType type) const { return type == TaskType::closed_book ? closed_book : open_book; }
  bool operator==(const TokenLimits&) const = default;
};

struct Decoding {
  double temperature = 0.0;
  std::optional<double> top_p;  // absent: not sent
  std::optional<int> top_k;     // absent: not sent
  TokenLimits max_new_tokens;
  std::vector<std::string> stop;
  int samples_per_item = 1;
  std::uint64_t seed = 1337;  // the configured seed; requests derive theirs from it

  bool operator==(const Decoding&) const = default;
};

// The seed of one request: from the configured seed, the item key, the sample index and the salt
// (empty but for the second arm of an A/A trial); in [0, 2^31 - 1]. Order and job never enter.
std::uint32_t request_seed(std::uint64_t configured_seed, std::string_view item_key,
                           int sample_index, std::string_view salt);

// The shortest decimal that reads back as the same double: 0, 0.7, 0.25.
std::string format_number(double value);

}  // namespace promptsweep
