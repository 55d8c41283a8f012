// SPDX-License-Identifier: Apache-2.0
// The request lines of a job become the file that is uploaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <promptsweep/backend.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "work.h"

namespace fireworks {

struct Intake {
  std::filesystem::path file;
  std::uint64_t bytes = 0, rows = 0;
  std::string lines_hash, rows_hash;
  std::unordered_map<std::string, std::uint64_t> index_of;   // of the rows in the file
  std::vector<std::pair<psw::Request, psw::Error>> refused;  // one bad row would fail the whole job
};

// Reads all lines of the job. Throws psw::Error(PSW_E_UNSUPPORTED) when lines name several models,
// and PSW_E_TOO_LARGE beyond what the provider is sure to take.
Intake take_in(Work& work, const std::filesystem::path& file);

}  // namespace fireworks
