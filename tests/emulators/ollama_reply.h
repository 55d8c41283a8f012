// SPDX-License-Identifier: Apache-2.0
// Replies of Ollama's /api/chat and /api/generate, whole and as newline-delimited objects.
#pragma once

#include <string>

#include "counts.h"
#include "faults.h"
#include "http_server.h"
#include "ollama_request.h"

namespace promptsweep::emulator {

// `can_think`: the model thinks unless the request says no. `begin`: when the request came.
Reply ollama_reply(const OllamaRequest& request, Answer answer, bool can_think,
                   const Strike& strike, Counts::Clock::time_point begin);
Reply ndjson();  // an empty stream
std::string rfc3339(double seconds_ahead = 0);

}  // namespace promptsweep::emulator
