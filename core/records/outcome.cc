// SPDX-License-Identifier: Apache-2.0
#include "records/outcome.h"

#include <array>
#include <utility>

namespace promptsweep {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 11> names{{
    {Outcome::ok, "ok"},
    {Outcome::truncated, "truncated"},
    {Outcome::empty, "empty"},
    {Outcome::filtered, "filtered"},
    {Outcome::prompt_truncated, "prompt_truncated"},
    {Outcome::error_request, "error_request"},
    {Outcome::error_backend, "error_backend"},
    {Outcome::error_timeout, "error_timeout"},
    {Outcome::cancelled, "cancelled"},
    {Outcome::expired, "expired"},
    {Outcome::missing, "missing"},
}};

}  // namespace

bool is_behaviour(Outcome outcome) {
  return outcome == Outcome::truncated || outcome == Outcome::empty || outcome == Outcome::filtered;
}

bool is_final(Outcome outcome) {
  return outcome == Outcome::ok || is_behaviour(outcome) || outcome == Outcome::prompt_truncated ||
         outcome == Outcome::error_request;
}

std::string_view to_string(Outcome outcome) {
  for (const auto& [value, name] : names) {
    if (value == outcome) return name;
  }
  return "unknown";
}

std::optional<Outcome> outcome_from(std::string_view name) {
  for (const auto& [value, text] : names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

}  // namespace promptsweep
