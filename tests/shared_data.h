// SPDX-License-Identifier: Apache-2.0
// Real data that lies beside the checkout when it is there: PROMPTSWEEP_SHARED, or ../shared.
// Tests that need it skip without it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

inline std::optional<std::filesystem::path> shared_folder() {
  std::filesystem::path folder;
  if (const char* named = std::getenv("PROMPTSWEEP_SHARED")) {
    folder = named;
  } else {
    folder = std::filesystem::path(PROMPTSWEEP_SOURCE_DIR).parent_path() / "shared";
  }
  if (!std::filesystem::is_directory(folder)) return std::nullopt;
  return folder;
}
