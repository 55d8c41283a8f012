// SPDX-License-Identifier: Apache-2.0
#include "ids.h"

#include <promptsweep/sha256.h>

namespace fireworks {

namespace {

// Fields are set apart by their length, so that ("ab", "c") is not ("a", "bc").
std::string named(const char* word, std::string_view a, std::string_view b) {
  psw::lines::Sha256 hash;
  for (const std::string_view field :
       {std::string_view("promptsweep"), std::string_view(word), a, b}) {
    hash.add(std::to_string(field.size()) + ":");
    hash.add(field);
  }
  return "psw-" + std::string(word) + "-" + hash.hex().substr(0, 40);
}

}  // namespace

std::string job_id(std::string_view idempotency_key, std::string_view lines_hash) {
  return named("job", idempotency_key, lines_hash);
}

std::string continuation_id(const std::string& job_id, std::uint32_t n) {
  return n == 0 ? job_id : job_id + "-c" + std::to_string(n);
}

std::string dataset_id(std::string_view idempotency_key, std::string_view rows_hash) {
  return named("data", idempotency_key, rows_hash);
}

std::string last_segment(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

}  // namespace fireworks
