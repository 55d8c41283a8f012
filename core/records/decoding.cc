// SPDX-License-Identifier: Apache-2.0
#include "records/decoding.h"

#include <charconv>

#include "base/digest.h"

namespace promptsweep {

std::uint32_t request_seed(std::uint64_t configured_seed, std::string_view item_key,
                           int sample_index, std::string_view salt) {
  FieldHash hash;
  hash.add("request seed").add(std::to_string(configured_seed)).add(item_key);
  hash.add(std::int64_t{sample_index}).add(salt);
  return static_cast<std::uint32_t>(content_seed(hash.bytes()) >> 33);
}

std::string format_number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

}  // namespace promptsweep
