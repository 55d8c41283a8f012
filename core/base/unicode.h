// SPDX-License-Identifier: Apache-2.0
// Unicode text as ICU defines it. Strings are UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace promptsweep {

bool is_valid_utf8(std::string_view text);
// Each invalid sequence becomes U+FFFD, one for each maximal part, as in Python's errors="replace".
std::string replace_invalid_utf8(std::string_view text);
// Full Unicode lower-casing, root locale (like Python's str.lower()).
std::string unicode_lower(std::string_view text);
// Canonical decomposition.
std::string unicode_nfd(std::string_view text);
// Canonical composition.
std::string unicode_nfc(std::string_view text);
// Full case folding, root locale: two names that differ in case only fold to the same bytes.
std::string unicode_fold(std::string_view text);
// False for text of white space, controls and ignorable characters (zero-width space and the like)
// only.
bool has_visible_character(std::string_view text);

// Code points, and back. An invalid sequence becomes U+FFFD.
std::u32string code_points(std::string_view text);
std::string utf8(std::u32string_view text);
// What a regular expression calls \w and \s in Python: letters, numbers and '_' (combining marks
// are no word characters); white space with the separators U+001C to U+001F.
bool is_word_character(char32_t c);
bool is_white_space(char32_t c);
// Letters, numbers and the marks that combine with them; not punctuation, symbols, white space,
// controls or ignorable characters.
bool is_text_character(char32_t c);

}  // namespace promptsweep
