// SPDX-License-Identifier: Apache-2.0
// A sealed run as one file beside its folder, written by the system's tar and zstd.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace promptsweep {

// experiments/run_x -> experiments/run_x.tar.zst
std::filesystem::path archive_path(const std::filesystem::path& run_folder);

// Writes it whole or not at all. False: it is there already, holds the same SHA256SUMS and unpacks
// to its end. Code::state: something else has its name, and stays as it is. Code::unsupported: this
// machine has no tar. The run must be sealed, and the caller holds its writer lock.
Result<bool> write_archive(const std::filesystem::path& run_folder);

}  // namespace promptsweep
