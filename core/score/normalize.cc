// SPDX-License-Identifier: Apache-2.0
#include "score/normalize.h"

#include <algorithm>
#include <map>

#include "base/unicode.h"

namespace promptsweep {
namespace {

bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
         (c >= 0x7b && c <= 0x7e);
}

std::u32string lower_without_punctuation(std::string_view text) {
  std::u32string out = code_points(unicode_lower(text));
  std::erase_if(out, &is_ascii_punctuation);
  return out;
}

// Whole words a, an, the become a space. A word ends where a word character meets none, so a
// combining mark after an article does not protect it.
std::u32string without_articles(const std::u32string& text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_word_character(text[end])) ++end;
    if (end == at) {
      out += text[at++];
      continue;
    }
    const std::u32string word = text.substr(at, end - at);
    if (word == U"a" || word == U"an" || word == U"the") {
      out += U' ';
    } else {
      out += word;
    }
    at = end;
  }
  return out;
}

std::u32string collapsed(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text) {
    if (!is_white_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != U' ') {
      out += U' ';
    }
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return out;
}

}  // namespace

std::string squad_normalize(std::string_view text) {
  return utf8(collapsed(without_articles(lower_without_punctuation(text))));
}

std::string bare_normalize(std::string_view text) {
  const std::u32string form = collapsed(lower_without_punctuation(text));
  return utf8(form.empty() ? collapsed(code_points(text)) : form);
}

std::string triviaqa_normalize(std::string_view text) {
  std::string spaced(text);
  for (char& c : spaced) {
    if (c == '_') c = ' ';
  }
  std::u32string kept;
  for (char32_t c : code_points(unicode_lower(spaced))) {
    const bool quote = c == 0x2018 || c == 0x2019 || c == 0x00b4 || c == 0x0060;
    kept += quote || is_ascii_punctuation(c) ? U' ' : c;
  }
  return utf8(collapsed(without_articles(kept)));
}

std::string nq_normalize(std::string_view text) { return squad_normalize(unicode_nfd(text)); }

std::vector<std::string> words_of(std::string_view normalized) {
  std::vector<std::string> out;
  while (!normalized.empty()) {
    const std::size_t end = std::min(normalized.find(' '), normalized.size());
    if (end > 0) out.emplace_back(normalized.substr(0, end));
    normalized.remove_prefix(std::min(end + 1, normalized.size()));
  }
  return out;
}

double word_f1(const std::vector<std::string>& prediction, const std::vector<std::string>& gold) {
  std::map<std::string_view, int> counts;
  for (const std::string& word : gold) ++counts[word];
  int shared = 0;
  for (const std::string& word : prediction) {
    if (counts[word]-- > 0) ++shared;
  }
  if (shared == 0) return 0;
  const double precision = shared / static_cast<double>(prediction.size());
  const double recall = shared / static_cast<double>(gold.size());
  return 2 * precision * recall / (precision + recall);
}

}  // namespace promptsweep
