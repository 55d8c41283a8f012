// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "backend/record_body.h"

namespace promptsweep {
namespace {

using nlohmann::json;

std::string text_member(const json& body, const char* key) {
  const auto found = body.find(key);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Absent, null and nonsense are all "not measured".
std::optional<std::int64_t> count_member(const json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  return value >= 0 ? std::optional(value) : std::nullopt;
}

std::optional<std::string> error_of(const json& body) {
  const auto found = body.find("error");
  if (found != body.end() && found->is_string()) return found->get<std::string>();
  if (found != body.end() && found->is_object()) {
    std::string message = text_member(*found, "message");
    if (!message.empty()) return message;
  }
  return std::nullopt;
}

}  // namespace

std::optional<RecordBody> tree_record_body(std::string_view text) {
  const json body = json::parse(text, nullptr, false);
  if (!body.is_object()) return std::nullopt;
  RecordBody out;
  const auto answer = body.find("text");
  if (answer != body.end() && answer->is_string()) out.text = answer->get<std::string>();
  out.error = error_of(body);
  out.finish_reason = text_member(body, "finish_reason");
  out.model = text_member(body, "model");
  out.remote_id = text_member(body, "remote_id");
  const auto timings = body.find("timings");
  if (timings != body.end() && timings->is_object()) out.timings_json = timings->dump();
  out.prompt_tokens = count_member(body, "prompt_tokens");
  out.prompt_tokens_evaluated = count_member(body, "prompt_tokens_evaluated");
  out.completion_tokens = count_member(body, "completion_tokens");
  const auto honoured = body.find("seed_honoured");
  if (honoured != body.end() && honoured->is_boolean()) out.seed_honoured = honoured->get<bool>();
  return out;
}

}  // namespace promptsweep
