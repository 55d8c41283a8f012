// SPDX-License-Identifier: Apache-2.0
// Content hashes. SHA-256 comes from OpenSSL.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace promptsweep {

// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
Result<std::string> sha256_hex_of_file(const std::filesystem::path& path);

// SHA-256 of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::string_view bytes);
  std::string hex();  // as sha256_hex; once, update no more afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// An opaque id: the first 130 bits of SHA-256 as 26 characters of [a-z2-7]. Legal as an id at
// every provider and as a file name everywhere.
std::string content_id(std::string_view bytes);

// The first 64 bits of SHA-256, big-endian: a seed that depends on content and nothing else.
std::uint64_t content_seed(std::string_view bytes);

// Joins fields so that no two different lists give the same bytes (each is length-prefixed).
class FieldHash {
 public:
  FieldHash& add(std::string_view field);
  FieldHash& add(std::int64_t number) { return add(std::to_string(number)); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace promptsweep
