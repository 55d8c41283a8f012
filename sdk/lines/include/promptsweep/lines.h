// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/lines.h -- request lines in, answer bodies out: sdk/schema, for plugins that do not
// want to read and write JSON themselves. Pure functions; any thread.
#ifndef PROMPTSWEEP_LINES_H_INCLUDED
#define PROMPTSWEEP_LINES_H_INCLUDED

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace psw {
namespace lines {

struct Message {
  std::string role, content;
};

struct Query {
  std::vector<Message> messages;      // one of messages and prompt
  std::optional<std::string> prompt;  // raw: no template is applied
  double temperature = 0;
  std::optional<double> top_p;
  std::optional<int> top_k;  // 0: no limit
  int max_tokens = 1;
  std::vector<std::string> stop;
  std::optional<std::uint32_t> seed;

  // A seed is a wish, and at temperature 0 there is nothing to draw.
  std::optional<std::uint32_t> seed_to_send() const {
    return temperature > 0 ? seed : std::nullopt;
  }
};

// Throws psw::Error(PSW_E_INVALID_ARGUMENT) for a line that breaks the schema.
Query parse_query(std::string_view line);

// Whether the line wishes for a seed that matters. Most lines are told apart without parsing.
bool wishes_seed(std::string_view line);

// UTF-8 bytes of the texts that the model shall read.
std::size_t prompt_bytes(const Query& query);

enum class Finish { stop, length, content_filter };

struct Answer {
  std::string text;
  Finish finish = Finish::stop;
  std::string model;
  // nullopt: not measured, which is not 0.
  std::optional<std::uint64_t> prompt_tokens, prompt_tokens_evaluated, completion_tokens;
  std::optional<bool> seed_honoured;
  std::optional<double> queue_ms, prefill_ms, decode_ms, total_ms;
  // Left out where empty.
  std::string remote_id, system_fingerprint, reasoning;
  std::string logprobs_json;  // any JSON value
};

// One line of JSON. Bytes that are no UTF-8 (a character cut by the token limit) become U+FFFD.
std::string answer_body(const Answer& answer);

// {"error":"<sentence>"}, the body of a record without an answer. As above for its bytes.
std::string failure_body(std::string_view sentence);

}  // namespace lines
}  // namespace psw

#endif
