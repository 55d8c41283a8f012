// SPDX-License-Identifier: Apache-2.0
// What a checkpoint says: the names of what we have at the provider. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fireworks {

struct Token {
  std::string job, dataset, output;
  std::uint32_t continuations = 0;
  std::string account{};  // that has the job; empty: of an earlier version, which did not say
};
std::string write_token(const Token& token);
std::optional<Token> read_token(std::string_view text);  // nullopt: none, or not ours

}  // namespace fireworks
