// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/http/openai_chat.h -- the language of chat completions, as OpenAI defined it and as
// the others speak it: a request line as a body, a reply as a record. Pure; any thread.
#ifndef PROMPTSWEEP_HTTP_OPENAI_CHAT_H_INCLUDED
#define PROMPTSWEEP_HTTP_OPENAI_CHAT_H_INCLUDED

#include <promptsweep/http/client.h>
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/lines.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace psw {
namespace http {

// What a server understands. Nothing is left to a server's own defaults that it lets us say.
struct ChatDialect {
  std::string name;  // for errors
  std::string max_tokens_key = "max_tokens";
  // Top_p of a line without one is sent as 1.
  bool always_top_p = false;
  // Without it a line with top_k above 0 is refused. `no_top_k` is what "no limit" is written as.
  bool top_k = false;
  int no_top_k = 0;
  int most_top_k = 2147483647;
  std::size_t most_stops = 0;  // stop strings; 0: no bound
  bool raw_prompts = false;    // has /completions, which takes `prompt` without a template
  // What an answer says of a seed that was sent; nullopt: the server promises nothing.
  std::optional<bool> seed_honoured;
  // A prompt that does not fit is refused by the server and never cut, so that what was counted was
  // also read.
  bool refuses_long_prompts = false;
  std::string fixed_json = "{}";  // members that go with every request: neutral values
};

ChatDialect openai_dialect();
ChatDialect llama_server_dialect(bool cache_prompt);
ChatDialect vllm_dialect();
ChatDialect lm_studio_dialect();
ChatDialect fireworks_dialect();
ChatDialect generic_dialect();  // what all of them have in common

// Request lines as bodies.
class ChatWriter {
 public:
  // `extra_json` is an object whose members go with every request, over the dialect's own.
  // `top_logprobs`: nullopt asks for no log-probabilities. `model` empty: bodies without a model.
  ChatWriter(ChatDialect dialect, std::string model, std::string_view extra_json = "{}",
             std::optional<int> top_logprobs = std::nullopt);
  ~ChatWriter();
  ChatWriter(ChatWriter&&) noexcept;

  const ChatDialect& dialect() const;
  // For /chat/completions, or for /completions where the query is a raw prompt. Throws
  // psw::Error(PSW_E_UNSUPPORTED) for what the dialect cannot honour: it is never dropped.
  std::string body(const lines::Query& query) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether to try again: by status, and also where a reply of status 200 is cut or holds an error.
Verdict judge_chat(const Reply& reply);

// The record of a reply to `line`. Throws JobEnds (see no_answer).
Record read_chat(std::string_view what, const psw::Request& line, const Reply& reply,
                 const ChatDialect& dialect);
// The same for a completion that came another way, for example in a batch's results. No timings,
// except those that the service says itself.
Record read_completion(std::string_view what, const psw::Request& line, std::string_view json,
                       const ChatDialect& dialect);

}  // namespace http
}  // namespace psw

#endif
