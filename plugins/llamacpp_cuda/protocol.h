// SPDX-License-Identifier: Apache-2.0
// Request lines in, answer bodies out: sdk/schema. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamacpp {

struct Message {
  std::string role, content;
};

struct Query {
  std::vector<Message> messages;  // one of messages and prompt
  std::optional<std::string> prompt;
  double temperature = 0;
  std::optional<double> top_p;
  std::optional<int> top_k;
  int max_tokens = 1;
  std::vector<std::string> stop;
  std::optional<std::uint32_t> seed;
};

// Throws psw::Error(PSW_E_INVALID_ARGUMENT) for a line that breaks the schema.
Query parse_query(std::string_view line);

struct Answer {
  std::string text;
  bool reached_limit = false;  // finish_reason length, else stop
  std::string model;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::optional<bool> seed_honoured;
  double queue_ms = 0, prefill_ms = 0, decode_ms = 0, total_ms = 0;
};

// One line of JSON. Bytes that are no UTF-8 (a character cut by the token limit) become U+FFFD.
std::string answer_body(const Answer& answer);

}  // namespace llamacpp
