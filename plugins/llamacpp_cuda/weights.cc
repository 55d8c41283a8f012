// SPDX-License-Identifier: Apache-2.0
#include "weights.h"

#include <promptsweep/sha256.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace llamacpp {
namespace {

// How many parts the name announces; 1 for a name that is no first part.
unsigned announced_parts(std::string_view model, std::string& prefix) {
  constexpr std::string_view head = "-00001-of-";
  constexpr std::size_t tail = head.size() + 5 + 5;  // five digits, ".gguf"
  if (model.size() <= tail || !model.ends_with(".gguf")) return 1;
  const std::string_view name_end = model.substr(model.size() - tail);
  const std::string_view digits = name_end.substr(head.size(), 5);
  if (!name_end.starts_with(head) || digits.find_first_not_of("0123456789") != digits.npos) {
    return 1;
  }
  prefix = model.substr(0, model.size() - tail);
  return static_cast<unsigned>(std::stoul(std::string(digits)));
}

std::string part_name(const std::string& prefix, unsigned part, unsigned parts) {
  char end[32];
  std::snprintf(end, sizeof end, "-%05u-of-%05u.gguf", part, parts);
  return prefix + end;
}

}  // namespace

Weights find_weights(const std::string& model) {
  Weights weights;
  std::string prefix;
  const unsigned parts = announced_parts(model, prefix);
  weights.files.push_back(model);
  for (unsigned part = 2; part <= parts; ++part) {
    weights.files.push_back(part_name(prefix, part, parts));
  }
  for (const std::string& file : weights.files) {
    std::error_code failed;
    const std::uint64_t bytes = std::filesystem::is_regular_file(file, failed)
                                    ? std::filesystem::file_size(file, failed)
                                    : 0;
    if (failed || bytes == 0) {
      psw::Error error(PSW_E_CONFIG, "/model: there is no file " + file);
      error.scope = PSW_SCOPE_INSTANCE;
      throw error;
    }
    weights.bytes += bytes;
  }
  return weights;
}

std::string sha256_of(const Weights& weights, const psw::Host& host) {
  psw::lines::Sha256 hash;
  std::vector<char> buffer(1 << 20);
  std::uint64_t done = 0;
  for (const std::string& file : weights.files) {
    std::ifstream in(file, std::ios::binary);
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
      hash.add({buffer.data(), static_cast<std::size_t>(in.gcount())});
      done += static_cast<std::uint64_t>(in.gcount());
      host.progress(done, weights.bytes, "hashing the model");
      if (host.should_stop()) throw psw::Error(PSW_E_CANCELLED, "stopped while hashing the model");
    }
  }
  if (done != weights.bytes) {
    throw psw::Error(PSW_E_RESOURCE, "cannot read all of " + weights.files.front());
  }
  return hash.hex();
}

}  // namespace llamacpp
