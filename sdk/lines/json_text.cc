// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/json_text.h>

#include <cstdio>

#include "utf8.h"

namespace psw {
namespace lines {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// The code unit of the escape \uXXXX at `at`, -1 where there is none.
int unit_at(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) != "\\u" || at + 6 > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

bool is_high(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// Copies the escape at `at` and returns how many bytes it took.
std::size_t copy_escape(std::string_view text, std::size_t at, std::string& out) {
  const int unit = unit_at(text, at);
  std::size_t length = unit < 0 ? 2 : 6;
  if (is_high(unit) && is_low(unit_at(text, at + 6))) length = 12;
  if ((is_high(unit) || is_low(unit)) && length != 12) {
    out += "\\ufffd";
    return length;
  }
  const std::string_view copied = text.substr(at, length);
  out += copied;
  return copied.size();
}

void append_control(unsigned char byte, std::string& out) {
  char escape[8];
  std::snprintf(escape, sizeof escape, "\\u%04x", byte);
  out += escape;
}

}  // namespace

std::string repair_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t at = 0; at < text.size();) {
    const unsigned char byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x80) {
      const std::size_t length = sequence_at(text, at);
      out += length == 0 ? replacement : text.substr(at, length);
      at += length == 0 ? 1 : length;
    } else if (in_string && byte == '\\') {
      at += copy_escape(text, at, out);
    } else if (in_string && byte < 0x20) {
      append_control(byte, out);
      ++at;
    } else {
      if (byte == '"') in_string = !in_string;
      out += text[at++];
    }
  }
  return out;
}

}  // namespace lines
}  // namespace psw
