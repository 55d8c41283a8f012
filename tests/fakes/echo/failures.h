// SPDX-License-Identifier: Apache-2.0
// Which failure, if any, a request meets.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>
#include <unordered_map>

#include "options.h"

namespace echo {

class Failures {
 public:
  explicit Failures(const Options& options) : options_(options) {}

  // Counts this attempt, on disk first where a state_folder is named, so that a failure that ends
  // the process is counted too.
  std::optional<FailureKind> next(const psw::Request& request);

 private:
  bool matches(const FailureRule& rule, const psw::Request& request, std::uint64_t number) const;
  std::uint64_t count_attempt(const std::string& request_id);

  const Options& options_;
  std::mutex mutex_;  // guards the two below
  std::uint64_t begun_ = 0;
  std::unordered_map<std::string, std::uint64_t> attempts_;
};

}  // namespace echo
