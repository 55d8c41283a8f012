// SPDX-License-Identifier: Apache-2.0
// Memory that an instance would need, from the GGUF file's header alone.
#pragma once

#include <promptsweep/backend.hpp>

#include "options.h"

namespace llamacpp {

// Weights (the file's size) and the KV cache: 2 x n_ctx x layers x KV width x 2 bytes (F16). Throws
// psw::Error when the file is no GGUF.
psw::Resources estimate_resources(const Options& options);

}  // namespace llamacpp
