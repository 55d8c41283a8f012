// SPDX-License-Identifier: Apache-2.0
// Answer normalisation as the data sets' official evaluations define it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace promptsweep {

// SQuAD: Unicode lower case; the 32 ASCII punctuation characters deleted; the words a, an, the
// turned into spaces; white space collapsed.
std::string squad_normalize(std::string_view text);

// The same with the articles kept, and a text of punctuation alone kept as it stands: what is left
// to compare of "The The", "A" or "!!!".
std::string bare_normalize(std::string_view text);

// TriviaQA: '_' to space; Unicode lower case; ASCII punctuation and U+2018 U+2019 U+00B4 U+0060 to
// spaces; articles to spaces; white space collapsed.
std::string triviaqa_normalize(std::string_view text);

// NQ-open: canonical decomposition, then as SQuAD.
std::string nq_normalize(std::string_view text);

// The words of a normalised text: what stands between single spaces.
std::vector<std::string> words_of(std::string_view normalized);

// F1 of two word multisets; 0 when nothing is shared or a side is empty.
double word_f1(const std::vector<std::string>& prediction, const std::vector<std::string>& gold);

}  // namespace promptsweep
