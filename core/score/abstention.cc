// SPDX-License-Identifier: Apache-2.0
#include "score/abstention.h"

#include "base/unicode.h"

namespace promptsweep {
namespace {

// Straight, curly, modifier letter, prime, grave, acute, full-width.
bool is_apostrophe(char32_t c) {
  return c == U'\'' || c == 0x2018 || c == 0x2019 || c == 0x201b || c == 0x02bc || c == 0x02b9 ||
         c == 0x2032 || c == U'`' || c == 0x00b4 || c == 0xff07;
}

}  // namespace

std::string abstention_form(std::string_view text) {
  std::u32string out;
  for (char32_t c : code_points(unicode_fold(unicode_nfc(text)))) {
    if (is_white_space(c)) {
      if (!out.empty() && out.back() != U' ') out += U' ';
    } else {
      out += is_apostrophe(c) ? U'\'' : c;
    }
  }
  while (!out.empty() && !is_text_character(out.back())) out.pop_back();
  std::size_t first = 0;
  while (first < out.size() && !is_text_character(out[first])) ++first;
  return utf8(out.substr(first));
}

bool is_abstention(std::string_view answer, const std::vector<std::string>& phrases) {
  const std::string form = abstention_form(answer);
  if (form.empty()) return false;
  for (const std::string& phrase : phrases) {
    if (form == abstention_form(phrase)) return true;
  }
  return false;
}

}  // namespace promptsweep
