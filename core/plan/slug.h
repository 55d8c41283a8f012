// SPDX-License-Identifier: Apache-2.0
// Folder names of trials: readable, legal on Windows too, never differing in case alone.
#pragma once

#include <string>
#include <string_view>

#include "plan/expand.h"

namespace promptsweep {

// `text` with everything but [A-Za-z0-9._-] turned into '-', and no leading or trailing '.' or '-'.
std::string slug_part(std::string_view text);

// <model>-<prompt set>[-tp<x>][-tk<n>]-mx<closed>-<open>; top_p and top_k where they are sent. At
// most 80 characters; what is cut off or written alike is told apart by the hash.
std::string readable_slug(const Cell& cell);

// readable_slug and a hash of everything that can change an answer; without a hash while ids are
// pending.
std::string trial_slug(const Cell& cell, const std::string& hash);

}  // namespace promptsweep
