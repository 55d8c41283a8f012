// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/sha256.h -- content hashes for identities and names, by OpenSSL.
#ifndef PROMPTSWEEP_SHA256_H_INCLUDED
#define PROMPTSWEEP_SHA256_H_INCLUDED

#include <memory>
#include <string>
#include <string_view>

namespace psw {
namespace lines {

// Throws psw::Error(PSW_E_INTERNAL) where the library has no SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  std::string hex();  // lower case; once, at the end

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace lines
}  // namespace psw

#endif
