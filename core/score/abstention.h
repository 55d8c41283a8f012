// SPDX-License-Identifier: Apache-2.0
// Did the model decline to answer? Only a whole answer counts: "I don't know." does, "not sure but
// Paris" and "Tomb of the Unknown Soldier" do not, and neither does a refusal that goes on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace promptsweep {

// Both sides of the comparison: composed, case folded, every kind of apostrophe one character,
// white space collapsed, and quotes, punctuation and symbols at the ends dropped.
std::string abstention_form(std::string_view text);

bool is_abstention(std::string_view answer, const std::vector<std::string>& phrases);

}  // namespace promptsweep
