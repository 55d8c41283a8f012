// SPDX-License-Identifier: Apache-2.0
// What a record takes from a chat completion, and its two readers. They agree wherever the first
// one answers.
#pragma once

#include <promptsweep/http/openai_chat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace psw {
namespace http {

struct ChatReply {
  std::string finish_reason;
  bool has_message = false;
  std::string text, reasoning, model, id, system_fingerprint;  // empty: not said
  std::string logprobs_json;
  std::optional<std::uint64_t> prompt_tokens, completion_tokens;
  std::optional<double> prefill_ms, decode_ms;
};

// Without a tree; nullopt for whatever is unusual, errors and broken JSON among it.
std::optional<ChatReply> plain_chat(std::string_view body);
// The record of any reply of status 200. `reply` nullptr: nothing was timed.
Record tree_record(std::string_view what, const psw::Request& line, std::string_view body,
                   const ChatDialect& dialect, const Reply* reply);
Record record_of(std::string_view what, const psw::Request& line, ChatReply chat,
                 const ChatDialect& dialect, const Reply* reply);

}  // namespace http
}  // namespace psw
