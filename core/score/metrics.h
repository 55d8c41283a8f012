// SPDX-License-Identifier: Apache-2.0
// Exact match and F1 against gold answers, by data set.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "records/item.h"

namespace promptsweep {

struct MatchScore {
  double em = 0;
  double f1 = 0;
};

// `answer` against the item's gold by the item's metric, exactly as its official evaluation has it.
MatchScore official_match(const Item& item, std::string_view answer);

// `text` as the metric compares it.
std::string normalize_for(Metric metric, std::string_view text);

// SQuAD 2.0, as its official script computes it: golds that normalise to nothing are removed; where
// none is left the gold is the empty answer. Either side empty: F1 is 1 when both are, else 0.
MatchScore squad_match(std::string_view answer, const std::vector<std::string>& gold);

// SQuAD 1.1: F1 is 0 when nothing is shared, also between empty sides.
MatchScore squad_v1_match(std::string_view answer, const std::vector<std::string>& gold);

// TriviaQA: gold is normalized_aliases as they stand and the normalised human_answers; an item
// without them (a prepared row) is compared with its normalised answers.
MatchScore triviaqa_match(std::string_view answer, const Item& item);

// NQ-open. The data set defines no F1; it is given for open-book use.
MatchScore nq_match(std::string_view answer, const std::vector<std::string>& gold);

}  // namespace promptsweep
