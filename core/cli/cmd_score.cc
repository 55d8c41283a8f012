// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/arguments.h"
#include "cli/command.h"
namespace promptsweep {
int cmd_score(const std::vector<std::string>&) { return fail(Error{Code::unsupported, "x"}); }
}  // namespace promptsweep
