// SPDX-License-Identifier: Apache-2.0
// Stop strings over text that grows token by token.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace llamacpp {

// Where the earliest stop string begins in `text`, looking only at matches that end in the bytes
// added since `known` (so that a match across a token boundary is found, and each byte is looked at
// a bounded number of times).
inline std::optional<std::size_t> find_stop(const std::string& text, std::size_t known,
                                            const std::vector<std::string>& stops) {
  std::optional<std::size_t> earliest;
  for (const std::string& stop : stops) {
    const std::size_t from = known >= stop.size() ? known - stop.size() + 1 : 0;
    const std::size_t at = text.find(stop, from);
    if (at != std::string::npos) earliest = std::min(earliest.value_or(at), at);
  }
  return earliest;
}

}  // namespace llamacpp
