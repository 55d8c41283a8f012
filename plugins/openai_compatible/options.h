// SPDX-License-Identifier: Apache-2.0
// The options of an openai_compatible instance, and their JSON Schema.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace openai {

struct Options {
  std::string api_url;   // normalised, where /chat/completions hangs
  std::string root_url;  // the same without /v1: servers' own calls
  std::string model;
  std::string api_key;  // name of a secret; empty: none
  std::string dialect = "auto";
  std::uint32_t max_concurrent_requests = 32;
  bool adaptive = true;
  bool cache_prompt = false;
  std::string extra_body = "{}";
  std::optional<int> logprobs;
  std::uint32_t timeout_s = 600;
  std::uint32_t retry_after_max_s = 300;
};

// Throws psw::Error(PSW_E_CONFIG) whose text begins with a JSON pointer.
Options parse_options(std::string_view config_json);

// Secrets that this plugin may ask for: the values of api_key.
inline constexpr char secrets_json[] =
    R"(["OPENAI_API_KEY","OPENAI_COMPATIBLE_API_KEY","LLAMA_API_KEY","VLLM_API_KEY",)"
    R"("LM_STUDIO_API_KEY","OPENROUTER_API_KEY","TOGETHER_API_KEY","GROQ_API_KEY"])";

inline constexpr char options_schema[] = R"json({
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "Options of the backend for OpenAI-compatible servers",
"type": "object",
"additionalProperties": false,
"required": ["base_url", "model"],
"properties": {
  "base_url": {"type": "string", "minLength": 1,
               "description": "The server, for example http://127.0.0.1:8080 or https://api.openai.com/v1; /v1 is added where there is no path."},
  "model": {"type": "string", "minLength": 1, "x-changes-answers": true, "x-role": "model",
            "description": "Name of the model as the server lists it."},
  "api_key": {"enum": ["none", "OPENAI_API_KEY", "OPENAI_COMPATIBLE_API_KEY", "LLAMA_API_KEY", "VLLM_API_KEY",
                       "LM_STUDIO_API_KEY", "OPENROUTER_API_KEY", "TOGETHER_API_KEY", "GROQ_API_KEY"],
              "default": "none",
              "description": "Name of the secret that holds the key, never the key itself."},
  "dialect": {"enum": ["auto", "openai", "llama_server", "vllm", "lm_studio", "generic"], "default": "auto",
              "x-changes-answers": true,
              "description": "What the server understands beyond the common language; auto asks it."},
  "max_concurrent_requests": {"type": "integer", "minimum": 1, "maximum": 4096, "default": 32,
                              "x-changes-numerics": true, "x-role": "parallelism",
                              "description": "Requests at the server at once, at most."},
  "adaptive": {"type": "boolean", "default": true,
               "description": "Whether fewer requests are sent at once while the server has too much to do."},
  "cache_prompt": {"type": "boolean", "default": false, "x-changes-numerics": true,
                   "description": "llama_server only: whether it may reuse the beginning of an earlier prompt, which is faster and changes rounding."},
  "extra_body": {"type": "object", "default": {}, "x-changes-answers": true,
                 "description": "Members that are added to every request, for what no other option says."},
  "logprobs": {"type": "integer", "minimum": 0, "maximum": 20,
               "description": "Log-probabilities of the answer's tokens with this many alternatives each; absent: none are asked for."},
  "timeout_s": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 600,
                "description": "Seconds that one attempt of a request may take."},
  "retry_after_max_s": {"type": "integer", "minimum": 0, "maximum": 86400, "default": 300,
                        "description": "Seconds waited at most where the server asks for a wait."}
}
})json";

}  // namespace openai
