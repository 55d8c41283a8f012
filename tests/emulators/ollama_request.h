// SPDX-License-Identifier: Apache-2.0
// Requests of Ollama's /api/chat and /api/generate, as the server reads them.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "answers.h"

namespace promptsweep::emulator {

struct OllamaRequest {
  std::string name;  // as the client wrote it
  Question question;
  bool is_chat = true, stream = true, empty = false;
  bool truncate = true, shift = true, logprobs = false;
  int top_logprobs = 0;
  std::optional<bool> think;
  std::int64_t num_ctx = 0;
  double keep_alive_s = 300;  // negative: for ever
  std::string runner_key;     // the options whose change reloads the model
};

struct OllamaRefusal {
  int status;
  std::string text;
};

std::optional<OllamaRefusal> read_ollama(const nlohmann::json& body, bool is_chat,
                                         std::int64_t default_ctx, std::int64_t trained_ctx,
                                         OllamaRequest& out);

// "90s", "1h30m", "500ms" or a number of seconds; nothing where it is neither.
std::optional<double> keep_alive_seconds(const nlohmann::json& value);

}  // namespace promptsweep::emulator
