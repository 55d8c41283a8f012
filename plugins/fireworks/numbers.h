// SPDX-License-Identifier: Apache-2.0
// Numbers of JSON that comes from proto3: a 64-bit one is a string, a 32-bit one is not, and
// services mix them up.
#pragma once

#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

namespace fireworks {

// A count from 0 on; nullopt: absent, or no such number.
inline std::optional<std::uint64_t> count_of(const nlohmann::json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number >= 0 && number < 9e15) return static_cast<std::uint64_t>(number);
  }
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

inline std::optional<std::uint64_t> count_in(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : count_of(*found);
}

}  // namespace fireworks
