// SPDX-License-Identifier: Apache-2.0
// The two readers of request lines. They agree wherever the first one answers.
#pragma once

#include <promptsweep/lines.h>

#include <optional>
#include <string_view>

namespace psw {
namespace lines {

// Without a tree; nullopt for whatever is unusual, invalid lines among it.
std::optional<Query> plain_query(std::string_view line);
// Any line, and the sentences that refuse one. Throws as parse_query does.
Query tree_query(std::string_view line);

}  // namespace lines
}  // namespace psw
