// SPDX-License-Identifier: Apache-2.0
// Does the passage support an open-book answer? A rough measure, by words.
#pragma once

#include <string_view>

#include "score/score.h"

namespace promptsweep {

// baseline: the answer's words stand in the passage in this order, next to each other.
// overlap: at least min_token_overlap of the answer's words occur in the passage.
// Both after SQuAD normalisation. An answer without words is supported by nothing.
bool is_supported(std::string_view answer, std::string_view passage, const UnsupportedRule& rule);

}  // namespace promptsweep
