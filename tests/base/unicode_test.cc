// SPDX-License-Identifier: Apache-2.0
// Expected values: Python 3.11 (str.lower, casefold, unicodedata.normalize, decode "replace", re).
#include "base/unicode.h"

#include <boost/test/unit_test.hpp>
#include <utility>
#include <vector>

using namespace promptsweep;

namespace {

// U+FFFD reads badly in the expected values below; '?' stands for it.
std::string with_question_marks(std::string text) {
  const std::string replacement = "\xEF\xBF\xBD";
  for (std::size_t at = 0; (at = text.find(replacement, at)) != std::string::npos;) {
    text.replace(at, replacement.size(), "?");
  }
  return text;
}

const std::vector<std::pair<std::string, std::string>> malformed{
    {"a\xff"
     "b",
     "a?b"},
    {"\xc3", "?"},
    {"\xe2\x82", "?"},
    {"\xe2\x82x", "?x"},
    {"\xf0\x9f\x92", "?"},
    {"\xed\xa0\x80", "???"},
    {"\xc0\xaf", "??"},
    {"\xf4\x90\x80\x80", "????"},
    {"\xe2\x28\xa1", "?(?"},
    {"\xf0\x9f\x92\xf0\x9f\x92\xa9", "?\xf0\x9f\x92\xa9"},
    {"\x80\x80", "??"}};

}  // namespace

BOOST_AUTO_TEST_SUITE(unicode)

BOOST_AUTO_TEST_CASE(malformed_utf8_is_seen_and_replaced_by_maximal_parts) {
  for (const auto& [bytes, expected] : malformed) {
    BOOST_TEST(!is_valid_utf8(bytes), expected);
    BOOST_TEST(with_question_marks(replace_invalid_utf8(bytes)) == expected);
    BOOST_TEST(is_valid_utf8(replace_invalid_utf8(bytes)));
  }
  for (const std::string& text : {std::string(), std::string("a\0b", 3),
                                  std::string("é東\U0001F4A9"), std::string("\uFFFD")}) {
    BOOST_TEST(is_valid_utf8(text));
    BOOST_TEST(replace_invalid_utf8(text) == text);
  }
}

BOOST_AUTO_TEST_CASE(lower_case_is_full_and_without_locale) {
  BOOST_TEST(unicode_lower("CAFÉ МОСКВА Straße") == "café москва straße");
  BOOST_TEST(unicode_lower("ΑΘΗΝΑΣ ΣΑΣ Σ") == "αθηνας σας σ");
  BOOST_TEST(unicode_lower("İI") == "i\u0307i");
}

BOOST_AUTO_TEST_CASE(normal_forms_compose_and_decompose) {
  BOOST_TEST(unicode_nfc("cafe\u0301") == "caf\u00e9");
  BOOST_TEST(unicode_nfd("caf\u00e9") == "cafe\u0301");
  BOOST_TEST(unicode_nfc("\u212b") == "\u00c5");
  BOOST_TEST(unicode_nfd("\ud55c") == "\u1112\u1161\u11ab");
  BOOST_TEST(unicode_nfc("\uff46") == "\uff46");
}

BOOST_AUTO_TEST_CASE(folding_joins_what_lower_case_keeps_apart) {
  BOOST_TEST(unicode_fold("Straße") == unicode_fold("STRASSE"));
  BOOST_TEST(unicode_fold("ς") == unicode_fold("Σ"));
  BOOST_TEST(unicode_fold("a") != unicode_fold("á"));
}

BOOST_AUTO_TEST_CASE(only_visible_characters_make_an_answer) {
  for (const char* text : {"", " \t\r\n", "\u00a0\u2003", "\u200b\u200d\ufeff", "\u00ad", "\x01"}) {
    BOOST_TEST(!has_visible_character(text));
  }
  for (const char* text : {"a", " . ", "\u200bx", "東", "\U0001F937", "\xff"}) {
    BOOST_TEST(has_visible_character(text));
  }
}

BOOST_AUTO_TEST_CASE(code_points_go_there_and_back) {
  const std::string text = "aé東\U0001F4A9\u0300";
  const std::u32string points = code_points(text);
  BOOST_TEST(points.size() == 5u);
  BOOST_CHECK(points == U"aé東\U0001F4A9\u0300");
  BOOST_TEST(utf8(points) == text);
  for (const auto& [bytes, expected] : malformed) {
    BOOST_TEST(with_question_marks(utf8(code_points(bytes))) == expected);
  }
}

BOOST_AUTO_TEST_CASE(word_characters_are_letters_numbers_and_underscore) {
  for (char32_t c : U"aZ_9é東ª²Ⅷ①") {
    if (c != 0) BOOST_TEST(is_word_character(c), static_cast<std::uint32_t>(c));
  }
  // Combining grave, nukta, right quote, space, hyphen, euro: none is \w.
  for (char32_t c : U"\u0300\u093c\u2019 -€") {
    if (c != 0) BOOST_TEST(!is_word_character(c), static_cast<std::uint32_t>(c));
  }
}

BOOST_AUTO_TEST_CASE(white_space_is_what_split_splits_at) {
  int count = 0;
  for (char32_t c = 0; c <= 0x10ffff; ++c) count += is_white_space(c) ? 1 : 0;
  BOOST_TEST(count == 29);  // the 29 characters of Python's str.isspace
  for (char32_t c : {U'\t', U'\x1c', U'\x1f', U'\x85', U'\xa0', U'\u2028', U'\u3000'}) {
    BOOST_TEST(is_white_space(c), static_cast<std::uint32_t>(c));
  }
  BOOST_TEST(!is_white_space(U'\u200b'));
}

BOOST_AUTO_TEST_CASE(marks_are_text_and_ignorable_ones_are_not) {
  for (char32_t c : {U'a', U'7', U'\u0301', U'\u093e', U'東'}) {
    BOOST_TEST(is_text_character(c), static_cast<std::uint32_t>(c));
  }
  // An emoji's variation selector is a mark to Unicode.
  for (char32_t c : {U'.', U'_', U' ', U'\u201d', U'\ufe0f', U'\u200d', U'\U0001F937', U'$'}) {
    BOOST_TEST(!is_text_character(c), static_cast<std::uint32_t>(c));
  }
}

BOOST_AUTO_TEST_SUITE_END()
