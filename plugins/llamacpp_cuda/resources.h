// SPDX-License-Identifier: Apache-2.0
// Memory that an instance would need, from the GGUF file's header alone.
#pragma once

#include <promptsweep/backend.hpp>

#include "options.h"

namespace llamacpp {

// Weights (the files' size) and the KV cache: tokens x layers x KV heads x (key + value width) x 2
// bytes (F16). Working buffers are not in it. Throws psw::Error when the file is no GGUF.
psw::Resources estimate_resources(const Options& options);

}  // namespace llamacpp
