// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/openai_chat.h>

namespace psw {
namespace http {

ChatDialect openai_dialect() {
  ChatDialect d;
  d.name = "OpenAI";
  d.max_tokens_key = "max_completion_tokens";
  d.most_stops = 4;
  d.refuses_long_prompts = true;
  return d;
}

// Samplers that the server's command line may have switched on are switched off, which leaves
// top_k, top_p and temperature in the order of the in-process plugin.
ChatDialect llama_server_dialect(bool cache_prompt) {
  ChatDialect d;
  d.name = "llama-server";
  d.always_top_p = true;
  d.top_k = true;
  d.raw_prompts = true;
  d.seed_honoured = true;
  d.refuses_long_prompts = true;
  d.fixed_json =
      R"({"min_p":0,"typical_p":1,"top_n_sigma":-1,"repeat_penalty":1,"presence_penalty":0,)"
      R"("frequency_penalty":0,"dry_multiplier":0,"xtc_probability":0,"dynatemp_range":0,)"
      R"("mirostat":0,"cache_prompt":)" +
      std::string(cache_prompt ? "true" : "false") + "}";
  return d;
}

// The model's generation_config.json sets defaults here, so that each of them is sent.
ChatDialect vllm_dialect() {
  ChatDialect d;
  d.name = "vLLM";
  d.always_top_p = true;
  d.top_k = true;
  d.no_top_k = -1;  // every release reads it; 0 is understood by newer ones alone
  d.raw_prompts = true;
  d.seed_honoured = true;
  d.refuses_long_prompts = true;
  d.fixed_json = R"({"min_p":0,"repetition_penalty":1,"presence_penalty":0,"frequency_penalty":0})";
  return d;
}

ChatDialect lm_studio_dialect() {
  ChatDialect d;
  d.name = "LM Studio";
  d.always_top_p = true;
  d.top_k = true;
  d.raw_prompts = true;
  d.fixed_json = R"({"repeat_penalty":1,"presence_penalty":0,"frequency_penalty":0,"min_p":0})";
  return d;
}

ChatDialect fireworks_dialect() {
  ChatDialect d;
  d.name = "Fireworks";
  d.always_top_p = true;
  d.top_k = true;
  d.most_top_k = 100;
  d.most_stops = 4;
  d.raw_prompts = true;
  d.refuses_long_prompts = true;
  d.fixed_json = R"({"min_p":0,"typical_p":1,"repetition_penalty":1,"presence_penalty":0,)"
                 R"("frequency_penalty":0,"context_length_exceeded_behavior":"error"})";
  return d;
}

ChatDialect generic_dialect() {
  ChatDialect d;
  d.name = "this server";
  d.raw_prompts = true;
  return d;
}

}  // namespace http
}  // namespace psw
