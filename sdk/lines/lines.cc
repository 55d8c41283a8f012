// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/lines.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

namespace psw {
namespace lines {
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

const char* name_of(Finish finish) {
  switch (finish) {
    case Finish::stop:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::content_filter:
      return "content_filter";
  }
  return "stop";
}

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json timings_of(const Answer& answer) {
  json out;  // null until something was measured
  if (answer.queue_ms) out["queue_ms"] = *answer.queue_ms;
  if (answer.prefill_ms) out["prefill_ms"] = *answer.prefill_ms;
  if (answer.decode_ms) out["decode_ms"] = *answer.decode_ms;
  if (answer.total_ms) out["total_ms"] = *answer.total_ms;
  return out;
}

std::string one_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
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

bool wishes_seed(std::string_view line) {
  // Within a text the quote would be escaped, so that this finds the member or nothing.
  if (line.find("\"seed\"") == std::string_view::npos) return false;
  return parse_query(line).seed_to_send().has_value();
}

std::size_t prompt_bytes(const Query& query) {
  std::size_t bytes = query.prompt ? query.prompt->size() : 0;
  for (const Message& message : query.messages) bytes += message.content.size();
  return bytes;
}

std::string answer_body(const Answer& answer) {
  json body{{"text", answer.text},
            {"finish_reason", name_of(answer.finish)},
            {"model", answer.model},
            {"prompt_tokens", or_null(answer.prompt_tokens)},
            {"prompt_tokens_evaluated", or_null(answer.prompt_tokens_evaluated)},
            {"completion_tokens", or_null(answer.completion_tokens)},
            {"seed_honoured", or_null(answer.seed_honoured)},
            {"timings", timings_of(answer)}};
  if (!answer.remote_id.empty()) body["remote_id"] = answer.remote_id;
  if (!answer.system_fingerprint.empty()) body["system_fingerprint"] = answer.system_fingerprint;
  if (!answer.reasoning.empty()) body["reasoning"] = answer.reasoning;
  if (!answer.logprobs_json.empty())
    body["logprobs"] = json::parse(answer.logprobs_json, nullptr, false);
  if (body.contains("logprobs") && body["logprobs"].is_discarded()) body.erase("logprobs");
  return one_line(body);
}

std::string failure_body(std::string_view sentence) {
  return one_line(json{{"error", std::string(sentence)}});
}

}  // namespace lines
}  // namespace psw
