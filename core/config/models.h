// SPDX-License-Identifier: Apache-2.0
// Which models run on which plugin, with which options.
#pragma once

#include <yaml-cpp/yaml.h>

#include "config/document.h"
#include "config/sweep_config.h"

namespace promptsweep {

// Fills models, model_aliases and run_refusals. `backend: local`, `fireworks` and `alt` of the
// original mean plugins: local_engine ollama is local_ollama, llama_cpp is llamacpp_cuda; alt has
// no plugin and is refused at `run`.
void read_models(const YAML::Node& root, Problems& problems, SweepConfig& config);

}  // namespace promptsweep
