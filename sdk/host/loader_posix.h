// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace promptsweep::host {

// Keeps a library that is loaded already mapped until the process ends.
void pin_library(const std::filesystem::path& library);

}  // namespace promptsweep::host
