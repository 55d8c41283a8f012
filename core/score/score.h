// SPDX-License-Identifier: Apache-2.0
// An answer and the gold -> a Score.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "records/item.h"
#include "records/score.h"

namespace promptsweep {

struct UnsupportedRule {
  enum class Strategy { baseline, overlap } strategy = Strategy::baseline;
  double min_token_overlap = 0.6;
};

struct ScoringRules {
  std::vector<std::string> abstention_phrases;  // compared whole, see score/abstention.h
  UnsupportedRule unsupported;
  double unsupported_threshold = 0.5;
};

// Bumped when any rule of this module changes what it returns; enters phase hashes.
inline constexpr int scoring_version = 1;

Score score_answer(const Item& item, std::string_view answer, const ScoringRules& rules);

}  // namespace promptsweep
