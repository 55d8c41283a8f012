// SPDX-License-Identifier: Apache-2.0
#include "protocol.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

namespace llamacpp {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& text) {
  throw psw::Error(PSW_E_INVALID_ARGUMENT, text);
}

// Conversions of the JSON library would cut fractions and wrap negative numbers in silence.
template <class T>
T whole(const json& row, const char* key, std::int64_t low, std::int64_t high) {
  const json& value = row.at(key);
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(high)
                        : value.is_number_integer() && value.get<std::int64_t>() <= high;
  if (!fits || value.get<std::int64_t>() < low) {
    refuse(std::string(key) + " is " + value.dump() + "; allowed is a whole number from " +
           std::to_string(low) + " to " + std::to_string(high));
  }
  return value.get<T>();
}

double number(const json& row, const char* key, double low, double high) {
  const json& value = row.at(key);
  if (!value.is_number() || value.get<double>() < low || value.get<double>() > high) {
    refuse(std::string(key) + " is " + value.dump() + "; allowed is a number up to " +
           json(high).dump());
  }
  return value.get<double>();
}

Message read_message(const json& message) {
  Message out{message.at("role").get<std::string>(), message.at("content").get<std::string>()};
  if (out.role != "system" && out.role != "user" && out.role != "assistant") {
    refuse("the role of a message is \"" + out.role + "\"; allowed is system, user or assistant");
  }
  return out;
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
      for (const json& message : row.at("messages"))
        query.messages.push_back(read_message(message));
      if (query.messages.empty()) refuse("messages are empty");
    }
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    if (row.contains("temperature")) query.temperature = number(row, "temperature", 0, 2);
    if (row.contains("top_p")) query.top_p = number(row, "top_p", 0, 1);
    if (row.contains("top_k")) query.top_k = whole<int>(row, "top_k", 0, most);
    query.max_tokens = whole<int>(row, "max_tokens", 1, most);
    if (row.contains("stop")) query.stop = row.at("stop").get<std::vector<std::string>>();
    if (row.contains("seed")) query.seed = whole<std::uint32_t>(row, "seed", 0, most);
  } catch (const json::exception& error) {
    refuse(std::string("a request line breaks its schema: ") + error.what());
  }
  if (query.top_p && *query.top_p <= 0) refuse("top_p is 0; allowed is more than 0");
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
