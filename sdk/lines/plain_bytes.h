// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace psw {
namespace lines {

// Whether a byte stands for itself in a JSON string, whatever surrounds it.
inline bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

// Where the first byte at or after `at` is that is not plain; text.size(): none. Eight bytes a
// step: prompts are long, and nearly all of their bytes are plain.
inline std::size_t plain_end(std::string_view text, std::size_t at) {
  constexpr std::uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
  if constexpr (std::endian::native == std::endian::little) {
    for (; at + 8 <= text.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      const std::uint64_t quote = word ^ ('"' * ones), escape = word ^ ('\\' * ones);
      // The top bit of each byte below 0x20, zero or above 0x7F. A borrow spoils only bytes after
      // one that was found, so that the first is right.
      const std::uint64_t found = (((word - 0x20 * ones) & ~word) | ((quote - ones) & ~quote) |
                                   ((escape - ones) & ~escape) | word) &
                                  tops;
      if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
  }
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

}  // namespace lines
}  // namespace psw
