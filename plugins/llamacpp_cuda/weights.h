// SPDX-License-Identifier: Apache-2.0
// The files that a model's weights lie in, and their digest.
#pragma once

#include <cstdint>
#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace llamacpp {

struct Weights {
  std::vector<std::string> files;  // one, or all parts of a split model in order
  std::uint64_t bytes = 0;         // of all files
};

// `model` is a GGUF file, or the first part of a split one (NAME-00001-of-00003.gguf). Throws
// psw::Error(PSW_E_CONFIG) when a file is missing.
Weights find_weights(const std::string& model);

// SHA-256, lower-case hex, of the files' bytes in order. Tells host.progress, obeys
// host.should_stop.
std::string sha256_of(const Weights& weights, const psw::Host& host);

}  // namespace llamacpp
