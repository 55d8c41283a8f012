// SPDX-License-Identifier: Apache-2.0
// Chat completions as OpenAI shaped them: requests in, replies and streams out. Shared by the
// openai and fireworks services, by Fireworks' batch rows and by Ollama's /v1.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "answers.h"
#include "faults.h"
#include "http_server.h"

namespace promptsweep::emulator {

struct ChatRequest {
  Question question;
  bool stream = false, include_usage = false, logprobs = false;
  int top_logprobs = 0, choices = 1;
};

struct Refusal {
  int status = 400;
  std::string message, type = "invalid_request_error", code, param;
};

// Nothing: `out` holds the request.
std::optional<Refusal> read_chat(const nlohmann::json& body, ChatRequest& out);
// Text of a message's content: a string, null, or an array of text parts.
std::optional<std::string> content_text(const nlohmann::json& content);

struct CompletionStyle {
  std::string model;        // what the reply names
  std::string fingerprint;  // "": no such field
  bool timings = false;     // llama-server's
};

nlohmann::json completion_json(const ChatRequest& request, const Answer& answer,
                               const CompletionStyle& style);
// As one reply or as server-sent events, spoiled as the strike says.
Reply completion_reply(const ChatRequest& request, const Answer& answer,
                       const CompletionStyle& style, const Strike& strike);

// Changes a completion (or, for Ollama, a final object of the chat) as a fault of Act::garbled
// says; text that JSON cannot hold is put in by dump_spoiled().
void spoil(nlohmann::json& reply, const Strike& strike);
// Whether the strike puts something into one piece of text, not into all.
bool spoils_bytes(const Strike& strike);
std::string dump_spoiled(const nlohmann::json& reply, const Strike& strike);
// logprobs of the pieces of a text, as in choices[].logprobs.content.
nlohmann::json logprobs_json(const std::vector<std::string>& pieces, int top, std::size_t first);

}  // namespace promptsweep::emulator
