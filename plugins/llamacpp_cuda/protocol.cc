// SPDX-License-Identifier: Apache-2.0
#include "protocol.h"

#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

namespace llamacpp {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& text) {
  throw psw::Error(PSW_E_INVALID_ARGUMENT, text);
}

}  // namespace

Query parse_query(std::string_view line) {
  Query query;
  try {
    const json row = json::parse(line);
    if (row.contains("prompt") == row.contains("messages"))
      refuse("a request has either messages or a prompt");
    if (row.contains("prompt")) {
      query.prompt = row.at("prompt").get<std::string>();
    } else {
      for (const json& message : row.at("messages")) {
        query.messages.push_back(
            {message.at("role").get<std::string>(), message.at("content").get<std::string>()});
      }
      if (query.messages.empty()) refuse("messages are empty");
    }
    query.temperature = row.value("temperature", 0.0);
    if (row.contains("top_p")) query.top_p = row.at("top_p").get<double>();
    if (row.contains("top_k")) query.top_k = row.at("top_k").get<int>();
    query.max_tokens = row.at("max_tokens").get<int>();
    if (row.contains("stop")) query.stop = row.at("stop").get<std::vector<std::string>>();
    if (row.contains("seed")) query.seed = row.at("seed").get<std::uint32_t>();
  } catch (const json::exception& error) {
    refuse(std::string("a request line breaks its schema: ") + error.what());
  }
  if (query.max_tokens < 1) refuse("max_tokens is below 1");
  if (query.temperature < 0) refuse("the temperature is negative");
  for (const std::string& stop : query.stop) {
    if (stop.empty()) refuse("a stop string is empty");
  }
  return query;
}

std::string answer_body(const Answer& answer) {
  const json body{{"text", answer.text},
                  {"finish_reason", answer.reached_limit ? "length" : "stop"},
                  {"model", answer.model},
                  {"prompt_tokens", answer.prompt_tokens},
                  {"prompt_tokens_evaluated", answer.prompt_tokens},
                  {"completion_tokens", answer.completion_tokens},
                  {"seed_honoured", answer.seed_honoured ? json(*answer.seed_honoured) : json()},
                  {"timings",
                   {{"queue_ms", answer.queue_ms},
                    {"prefill_ms", answer.prefill_ms},
                    {"decode_ms", answer.decode_ms},
                    {"total_ms", answer.total_ms}}}};
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace llamacpp
