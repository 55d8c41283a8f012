// SPDX-License-Identifier: Apache-2.0
// The options of a local_ollama instance, and their JSON Schema.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ollama {

struct Options {
  std::string base_url = "http://127.0.0.1:11434";  // normalised
  std::string model;
  std::uint32_t num_ctx = 4096;
  std::int32_t num_gpu = -1;     // layers; -1: the server decides, and it is not sent
  std::uint32_t num_batch = 0;   // 0: the server decides
  std::uint32_t num_thread = 0;  // 0: the server decides
  std::uint32_t max_concurrent_requests = 1;
  std::string keep_alive = "30m";
  bool unload_at_end = true;
  std::string think = "off";
  bool raw_prompt = false;
  bool stream = false;
  std::uint32_t timeout_s = 600;
  std::uint32_t retry_after_max_s = 300;
};

// Throws psw::Error(PSW_E_CONFIG) whose text begins with a JSON pointer.
Options parse_options(std::string_view config_json);

inline constexpr char options_schema[] = R"json({
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "Options of the Ollama backend",
"type": "object",
"additionalProperties": false,
"required": ["model"],
"properties": {
  "base_url": {"type": "string", "minLength": 1, "default": "http://127.0.0.1:11434", "x-env": "OLLAMA_HOST",
               "description": "Where the server listens, as URL or as HOST:PORT."},
  "model": {"type": "string", "minLength": 1, "x-changes-answers": true, "x-role": "model",
            "description": "Name of the model as `ollama list` shows it; without a tag, latest."},
  "num_ctx": {"type": "integer", "minimum": 32, "maximum": 16777216, "default": 4096,
              "x-changes-answers": true, "x-role": "context",
              "description": "Tokens of context of each request; a prompt that does not fit with its max_tokens is refused."},
  "num_gpu": {"type": "integer", "minimum": -1, "maximum": 100000, "default": -1, "x-changes-numerics": true,
              "x-role": "offload", "description": "Layers on the GPU; -1 leaves it to the server."},
  "num_batch": {"type": "integer", "minimum": 0, "maximum": 65536, "default": 0, "x-changes-numerics": true,
                "description": "Tokens of a prompt at once; 0 leaves it to the server."},
  "num_thread": {"type": "integer", "minimum": 0, "maximum": 1024, "default": 0, "x-changes-numerics": true,
                 "description": "CPU threads of the server; 0 leaves it to the server."},
  "max_concurrent_requests": {"type": "integer", "minimum": 1, "maximum": 256, "default": 1,
                              "x-changes-numerics": true, "x-role": "parallelism",
                              "description": "Requests at the server at once; more than its OLLAMA_NUM_PARALLEL only wait there."},
  "keep_alive": {"type": "string", "minLength": 1, "default": "30m",
                 "description": "How long the server keeps the model after a request: a duration such as 90s, 30m or 24h, or -1s for ever."},
  "unload_at_end": {"type": "boolean", "default": true,
                    "description": "Whether the model is unloaded when the run is through with it."},
  "think": {"enum": ["off", "on", "low", "medium", "high"], "default": "off", "x-changes-answers": true,
            "description": "Reasoning of models that can; it is sent only to those that say so."},
  "prompt_format": {"enum": ["chat", "raw"], "default": "chat", "x-changes-answers": true,
                    "description": "raw sends texts as they are, without the model's template."},
  "stream": {"type": "boolean", "default": false,
             "description": "Whether answers come in pieces, which keeps proxies from giving up on long ones."},
  "timeout_s": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 600,
                "description": "Seconds that one attempt of a request may take, and the load of the model at the start."},
  "retry_after_max_s": {"type": "integer", "minimum": 0, "maximum": 86400, "default": 300,
                        "description": "Seconds waited at most where the server asks for a wait."}
}
})json";

}  // namespace ollama
