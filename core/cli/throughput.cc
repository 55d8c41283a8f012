// SPDX-License-Identifier: Apache-2.0
#include "cli/throughput.h"

#include <nlohmann/json.hpp>

#include "base/env.h"

namespace promptsweep {
namespace {

using nlohmann::json;

// Only a hint for people: an unreadable file is the same as none.
json read_rates(const std::filesystem::path& experiments_folder) {
  const Result<std::string> text = read_file(experiments_folder / "throughput.json");
  if (!text) return json::object();
  json rates = json::parse(*text, nullptr, false);
  return rates.is_object() ? rates : json::object();
}

std::string key_of(const std::string& backend, const std::string& model) {
  return backend + " " + model;
}

}  // namespace

std::optional<double> known_rate(const std::filesystem::path& experiments_folder,
                                 const std::string& backend, const std::string& model) {
  const json rates = read_rates(experiments_folder);
  const auto found = rates.find(key_of(backend, model));
  if (found == rates.end() || !found->is_object()) return std::nullopt;
  const double rate = found->value("requests_per_second", 0.0);
  return rate > 0 ? std::optional<double>(rate) : std::nullopt;
}

Status remember_rates(const std::filesystem::path& experiments_folder,
                      const std::vector<Throughput>& rates) {
  json all = read_rates(experiments_folder);
  for (const Throughput& one : rates) {
    if (one.requests_per_second <= 0) continue;
    all[key_of(one.backend, one.model)] = {{"requests_per_second", one.requests_per_second},
                                           {"measured_at", utc_now()}};
  }
  return write_file_atomic(experiments_folder / "throughput.json", all.dump(2) + "\n");
}

}  // namespace promptsweep
