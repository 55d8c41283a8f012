// SPDX-License-Identifier: Apache-2.0
#include "ids.h"

#include <openssl/evp.h>

#include <array>
#include <promptsweep/backend.hpp>

namespace fireworks {

struct Hash::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() = default;
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Hash::Hash() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr ||
      EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
    throw psw::Error(PSW_E_INTERNAL, "SHA-256 is not available");
  }
}

Hash::~Hash() = default;

void Hash::add(std::string_view bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) {
    throw psw::Error(PSW_E_INTERNAL, "SHA-256 failed");
  }
}

std::string Hash::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  if (EVP_DigestFinal_ex(state_->context, bytes.data(), &length) != 1) {
    throw psw::Error(PSW_E_INTERNAL, "SHA-256 failed");
  }
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < length; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

namespace {

// Fields are set apart by their length, so that ("ab", "c") is not ("a", "bc").
std::string named(const char* word, std::string_view a, std::string_view b) {
  Hash hash;
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
