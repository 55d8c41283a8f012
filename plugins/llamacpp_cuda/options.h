// SPDX-License-Identifier: Apache-2.0
// The options of a llamacpp_cuda instance, and their JSON Schema.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace llamacpp {

struct Options {
  std::string model;           // path of the GGUF file
  std::uint32_t n_ctx = 4096;  // of all sequences together
  std::int32_t n_gpu_layers = -1;
  std::uint32_t n_parallel = 1;
  std::uint32_t n_batch = 512;
  std::int32_t threads = 0;  // 0: as many processors as the model is worth
  bool flash_attention = false;
  std::string chat_template;  // a name that llama.cpp knows; empty: the model's own
  bool raw_prompt = false;
  bool deterministic = false;

  // One sequence at a time is what makes batch shapes depend on the request alone.
  std::uint32_t sequences() const { return deterministic ? 1 : n_parallel; }
  // Tokens of context that one sequence has. The same with and without `deterministic`, so that the
  // same prompts are refused.
  std::uint32_t share() const { return n_ctx / n_parallel; }
};

// Throws psw::Error(PSW_E_CONFIG) whose text begins with a JSON pointer.
Options parse_options(std::string_view config_json);

inline constexpr char options_schema[] = R"json({
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "Options of the llama.cpp backend",
"type": "object",
"additionalProperties": false,
"required": ["model"],
"properties": {
  "model": {"type": "string", "minLength": 1, "x-changes-answers": true,
            "description": "Path of the GGUF file."},
  "n_ctx": {"type": "integer", "minimum": 32, "maximum": 16777216, "default": 4096,
            "x-changes-answers": true, "x-role": "context",
            "description": "Tokens of context of all sequences together; each has n_ctx / n_parallel."},
  "n_gpu_layers": {"type": "integer", "minimum": -1, "default": -1, "x-changes-numerics": true,
                   "x-role": "offload", "description": "Layers on the GPU; -1 is all."},
  "n_parallel": {"type": "integer", "minimum": 1, "maximum": 256, "default": 1,
                 "x-changes-numerics": true, "x-role": "parallelism",
                 "description": "Sequences decoded at once."},
  "n_batch": {"type": "integer", "minimum": 32, "maximum": 65536, "default": 512,
              "x-changes-numerics": true, "description": "Tokens a decode step at most."},
  "threads": {"type": "integer", "minimum": 0, "maximum": 1024, "default": 0,
              "x-changes-numerics": true, "x-role": "threads",
              "description": "CPU threads; 0 is one for each 10 million parameters, up to all processors."},
  "flash_attention": {"type": "boolean", "default": false, "x-changes-numerics": true},
  "chat_template": {"type": "string", "minLength": 1, "x-changes-answers": true,
                    "description": "Name of a template that llama.cpp knows; absent: the model's own."},
  "prompt_format": {"enum": ["chat", "raw"], "default": "chat", "x-changes-answers": true,
                    "description": "raw: texts as they are, no template."},
  "deterministic": {"type": "boolean", "default": false, "x-changes-numerics": true,
                    "description": "One sequence at a time with batch shapes that depend on the request alone: the same bits every time."}
}
})json";

}  // namespace llamacpp
