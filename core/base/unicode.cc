// SPDX-License-Identifier: Apache-2.0
#include "base/unicode.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

namespace promptsweep {
namespace {

std::string to_utf8(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

icu::UnicodeString from_utf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string normalized(std::string_view text, const icu::Normalizer2* (*form)(UErrorCode&)) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = form(status);
  if (U_FAILURE(status)) return std::string(text);
  icu::UnicodeString out = normalizer->normalize(from_utf8(text), status);
  return U_FAILURE(status) ? std::string(text) : to_utf8(out);
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t at = 0; at < size;) {
    UChar32 c = 0;
    U8_NEXT(text.data(), at, size, c);
    if (c < 0) return false;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t at = 0; at < size;) {
    const std::int32_t start = at;
    UChar32 c = 0;
    U8_NEXT(text.data(), at, size, c);
    if (c < 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(at - start));
    }
  }
  return out;
}

std::string unicode_lower(std::string_view text) {
  return to_utf8(from_utf8(text).toLower(icu::Locale::getRoot()));
}

std::string unicode_nfd(std::string_view text) {
  return normalized(text, &icu::Normalizer2::getNFDInstance);
}

std::string unicode_nfc(std::string_view text) {
  return normalized(text, &icu::Normalizer2::getNFCInstance);
}

std::string unicode_fold(std::string_view text) {
  return to_utf8(from_utf8(text).foldCase(U_FOLD_CASE_DEFAULT));
}

bool has_visible_character(std::string_view text) {
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t at = 0; at < size;) {
    UChar32 c = 0;
    U8_NEXT(text.data(), at, size, c);
    const bool invisible = c >= 0 && (u_isUWhiteSpace(c) || u_iscntrl(c) ||
                                      u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT));
    if (!invisible) return true;
  }
  return false;
}

std::u32string code_points(std::string_view text) {
  std::u32string out;
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t at = 0; at < size;) {
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(text.data(), at, size, c);
    out += static_cast<char32_t>(c);
  }
  return out;
}

std::string utf8(std::u32string_view text) {
  std::string out;
  for (char32_t c : text) {
    char bytes[U8_MAX_LENGTH];
    std::int32_t size = 0;
    UBool failed = false;
    U8_APPEND(bytes, size, U8_MAX_LENGTH, static_cast<UChar32>(c), failed);
    if (!failed) out.append(bytes, static_cast<std::size_t>(size));
  }
  return out;
}

bool is_word_character(char32_t c) {
  return c == U'_' || (U_GET_GC_MASK(static_cast<UChar32>(c)) & (U_GC_L_MASK | U_GC_N_MASK)) != 0;
}

bool is_text_character(char32_t c) {
  const auto point = static_cast<UChar32>(c);
  return (U_GET_GC_MASK(point) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) != 0 &&
         !u_hasBinaryProperty(point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

bool is_white_space(char32_t c) {
  return (c >= 0x1c && c <= 0x1f) || u_isUWhiteSpace(static_cast<UChar32>(c));
}

}  // namespace promptsweep
