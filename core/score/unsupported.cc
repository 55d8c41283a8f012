// SPDX-License-Identifier: Apache-2.0
#include "score/unsupported.h"

#include <algorithm>
#include <set>

#include "score/normalize.h"

namespace promptsweep {

bool is_supported(std::string_view answer, std::string_view passage, const UnsupportedRule& rule) {
  const std::vector<std::string> words = words_of(squad_normalize(answer));
  const std::vector<std::string> text = words_of(squad_normalize(passage));
  if (words.empty()) return false;
  if (rule.strategy == UnsupportedRule::Strategy::baseline) {
    return std::search(text.begin(), text.end(), words.begin(), words.end()) != text.end();
  }
  const std::set<std::string> known(text.begin(), text.end());
  const auto present = std::count_if(words.begin(), words.end(),
                                     [&](const std::string& word) { return known.contains(word); });
  return static_cast<double>(present) / static_cast<double>(words.size()) >= rule.min_token_overlap;
}

}  // namespace promptsweep
