// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include <promptsweep/http/openai_chat.h>
#include <promptsweep/json_text.h>
#include <promptsweep/lines.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace fireworks {
namespace {

using nlohmann::json;

constexpr int most_top_k = 100;
constexpr std::size_t most_stops = 4;

// Numbers as strings, and codes as numbers.
std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? value.dump() : std::string();
}

std::string member_text(const json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = object.find(key);
    if (found == object.end()) continue;
    std::string text = text_of(*found);
    if (!text.empty()) return text;
  }
  return "";
}

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string written(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void read_error(const json& error, ResultRow& row) {
  if (error.is_object()) {
    row.error_code = member_text(error, {"code", "status", "type"});
    row.error_message = member_text(error, {"message", "detail", "error"});
  } else {
    row.error_message = text_of(error);
  }
  if (row.error_message.empty()) row.error_message = written(error);
}

bool is_completion(const json& value) { return member(value, "choices") != nullptr; }

void read_response(const json& response, ResultRow& row) {
  const json* body = member(response, "body");
  const json& answer = body != nullptr ? *body : response;
  if (is_completion(answer)) {
    row.completion = written(answer);
    return;
  }
  if (const json* error = member(answer, "error")) {
    read_error(*error, row);
  } else {
    read_error(answer, row);
  }
  std::string status = member_text(response, {"status_code", "statusCode"});
  if (!status.empty()) row.error_code = std::move(status);
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  }
  return text;
}

bool has_any(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return text.find(part) != std::string::npos; });
}

bool is_any(const std::string& text, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return text == word; });
}

}  // namespace

std::string batch_row(const psw::Request& line) {
  const psw::lines::Query query = psw::lines::parse_query(line.line);
  if (query.prompt) {
    throw psw::Error(PSW_E_UNSUPPORTED, "batch jobs of this provider take chats, not raw prompts");
  }
  if (query.stop.size() > most_stops) {
    throw psw::Error(PSW_E_UNSUPPORTED, "this provider takes at most 4 stop strings");
  }
  if (query.top_k && *query.top_k > most_top_k) {
    throw psw::Error(PSW_E_UNSUPPORTED, "top_k is above 100, the most that this provider takes");
  }
  json messages = json::array();
  for (const psw::lines::Message& message : query.messages) {
    messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  // As in realtime: neutral values of what the line does not say, and a prompt that does not fit is
  // refused. The model's own defaults are not neutral, and the provider's is to cut the answer.
  json body = json::parse(psw::http::fireworks_dialect().fixed_json);
  body["messages"] = std::move(messages);
  body["max_tokens"] = query.max_tokens;
  body["temperature"] = query.temperature;
  body["top_p"] = query.top_p.value_or(1.0);
  body["top_k"] = query.top_k.value_or(0);
  if (!query.stop.empty()) body["stop"] = query.stop;
  if (const auto seed = query.seed_to_send()) body["seed"] = *seed;
  return json{{"custom_id", line.request_id}, {"body", std::move(body)}}.dump();
}

std::string model_of(std::string_view line) {
  const json row = json::parse(line, nullptr, false);
  const json* model = member(row, "model");
  return model != nullptr ? text_of(*model) : std::string();
}

std::optional<ResultRow> parse_result_row(std::string_view line) {
  json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) object = json::parse(psw::lines::repair_json(line), nullptr, false);
  if (!object.is_object()) return std::nullopt;
  ResultRow row;
  row.custom_id = member_text(object, {"custom_id", "customId"});
  if (row.custom_id.empty()) return std::nullopt;
  const json* response = member(object, "response");
  const json* error = member(object, "error");
  if (response != nullptr) read_response(*response, row);
  if (row.completion.empty() && error != nullptr) read_error(*error, row);
  const bool says_nothing = row.completion.empty() && row.error_message.empty();
  return says_nothing ? std::nullopt : std::optional(std::move(row));
}

RowFailure failure_of(const ResultRow& row) {
  const std::string code = lower(row.error_code), message = lower(row.error_message);
  if (has_any(code, {"context_length", "exceed_context"}) ||
      has_any(message, {"context length", "context window", "context size", "prompt is too long",
                        "maximum context"})) {
    return {PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE};
  }
  // Status codes of HTTP, and numbers and names of gRPC.
  if (is_any(code, {"400", "413", "422", "3", "11", "invalid_argument", "invalid_request_error",
                    "bad_request", "badrequesterror", "out_of_range"})) {
    return {PSW_OUTCOME_ERROR_REQUEST, PSW_E_INVALID_ARGUMENT};
  }
  if (is_any(code, {"408", "504", "4", "deadline_exceeded", "timeout"})) {
    return {PSW_OUTCOME_ERROR_TIMEOUT, PSW_E_TIMEOUT};
  }
  if (is_any(code,
             {"401", "403", "7", "16", "permission_denied", "unauthenticated", "unauthorized"})) {
    return {PSW_OUTCOME_ERROR_BACKEND, PSW_E_AUTH};
  }
  if (is_any(code, {"429", "8", "resource_exhausted"})) {
    return {PSW_OUTCOME_ERROR_BACKEND, PSW_E_RATE_LIMITED};
  }
  return {};
}

}  // namespace fireworks
