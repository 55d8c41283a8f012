// SPDX-License-Identifier: Apache-2.0
// How fast each engine answered in earlier runs, kept in <experiments>/throughput.json: plans say
// minutes a trial from it, and "unknown" without it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace promptsweep {

struct Throughput {
  std::string backend;
  std::string model;
  double requests_per_second = 0;
};

std::optional<double> known_rate(const std::filesystem::path& experiments_folder,
                                 const std::string& backend, const std::string& model);
// Replaces what was known of these engines.
Status remember_rates(const std::filesystem::path& experiments_folder,
                      const std::vector<Throughput>& rates);

}  // namespace promptsweep
