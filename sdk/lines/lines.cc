// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/json_plain.h>
#include <promptsweep/lines.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>
#include <utility>

#include "query.h"

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

// Members in the order of their names, each after a comma but for the first.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  std::string& key(std::string_view name) {
    if (!std::exchange(first_, false)) out_ += ',';
    ((out_ += '"') += name) += "\":";
    return out_;
  }
  void text(std::string_view name, std::string_view value) { append_json_text(key(name), value); }
  void count(std::string_view name, const std::optional<std::uint64_t>& value) {
    key(name) += value ? std::to_string(*value) : "null";
  }
  void number(std::string_view name, const std::optional<double>& value) {
    if (value) append_json_number(key(name), *value);
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_timings(std::string& out, const Answer& answer) {
  if (!answer.queue_ms && !answer.prefill_ms && !answer.decode_ms && !answer.total_ms) {
    out += "null";  // nothing was measured
    return;
  }
  ObjectWriter timings(out);
  timings.number("decode_ms", answer.decode_ms);
  timings.number("prefill_ms", answer.prefill_ms);
  timings.number("queue_ms", answer.queue_ms);
  timings.number("total_ms", answer.total_ms);
  timings.end();
}

std::string one_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Query tree_query(std::string_view line) {
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

Query parse_query(std::string_view line) {
  std::optional<Query> plain = plain_query(line);
  return plain ? *std::move(plain) : tree_query(line);
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
  std::string out;
  out.reserve(answer.text.size() + answer.text.size() / 8 + answer.reasoning.size() + 512);
  ObjectWriter body(out);
  body.count("completion_tokens", answer.completion_tokens);
  body.text("finish_reason", name_of(answer.finish));
  if (!answer.logprobs_json.empty()) {
    const json logprobs = json::parse(answer.logprobs_json, nullptr, false);
    if (!logprobs.is_discarded()) body.key("logprobs") += one_line(logprobs);
  }
  body.text("model", answer.model);
  body.count("prompt_tokens", answer.prompt_tokens);
  body.count("prompt_tokens_evaluated", answer.prompt_tokens_evaluated);
  if (!answer.reasoning.empty()) body.text("reasoning", answer.reasoning);
  if (!answer.remote_id.empty()) body.text("remote_id", answer.remote_id);
  body.key("seed_honoured") += !answer.seed_honoured   ? "null"
                               : *answer.seed_honoured ? "true"
                                                       : "false";
  if (!answer.system_fingerprint.empty())
    body.text("system_fingerprint", answer.system_fingerprint);
  body.text("text", answer.text);
  append_timings(body.key("timings"), answer);
  body.end();
  return out;
}

std::string failure_body(std::string_view sentence) {
  return one_line(json{{"error", std::string(sentence)}});
}

}  // namespace lines
}  // namespace psw
