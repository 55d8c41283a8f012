// SPDX-License-Identifier: Apache-2.0
// The body of a reply of /api/chat or /api/generate: one document, or one a line (a stream).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama {

struct ReadReply {
  std::string text, thinking, model;
  std::string error;  // of any line; not empty: the answer failed
  bool done = false;  // false: cut, aborted, or no JSON
  std::string done_reason;
  // Left out by the server where it is 0: a prompt always has tokens, so that it is unknown then;
  // an answer may have none.
  std::optional<std::uint64_t> prompt_tokens;
  std::uint64_t completion_tokens = 0;
  std::optional<double> prefill_ms, decode_ms;
};
ReadReply read_reply(std::string_view body);

}  // namespace ollama
