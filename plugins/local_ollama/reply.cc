// SPDX-License-Identifier: Apache-2.0
#include "reply.h"

#include <promptsweep/json_text.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace ollama {
namespace {

using nlohmann::json;

json parse(std::string_view text) {
  json out = json::parse(text, nullptr, false);
  if (out.is_discarded()) out = json::parse(psw::lines::repair_json(text), nullptr, false);
  return out;
}

const json* member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void append(std::string& text, const json& object, const char* key) {
  const json* found = member(object, key);
  if (found != nullptr && found->is_string()) text += found->get_ref<const std::string&>();
}

// Proxies write numbers as strings.
std::optional<double> number(const json& object, const char* key) {
  const json* found = member(object, key);
  if (found == nullptr) return std::nullopt;
  double value = -1;
  if (found->is_number()) value = found->get<double>();
  if (found->is_string()) {
    const std::string& text = found->get_ref<const std::string&>();
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  }
  return value >= 0 && value < 9e15 ? std::optional(value) : std::nullopt;
}

void read_final(ReadReply& out, const json& document) {
  append(out.done_reason, document, "done_reason");
  const auto prompt = number(document, "prompt_eval_count");
  if (prompt && *prompt > 0) out.prompt_tokens = static_cast<std::uint64_t>(*prompt);
  out.completion_tokens = static_cast<std::uint64_t>(number(document, "eval_count").value_or(0));
  const auto milliseconds = [&](const char* key) -> std::optional<double> {
    const auto nanoseconds = number(document, key);
    return nanoseconds ? std::optional(*nanoseconds / 1e6) : std::nullopt;
  };
  out.prefill_ms = milliseconds("prompt_eval_duration");
  out.decode_ms = milliseconds("eval_duration");
}

// A text, or parts of one as some proxies write it.
void append_content(std::string& to, const json& message) {
  append(to, message, "content");
  const json* content = member(message, "content");
  if (content == nullptr || !content->is_array()) return;
  for (const json& part : *content) {
    if (part.is_object()) append(to, part, "text");
  }
}

// False: no document of this language.
bool read_document(ReadReply& out, const json& document) {
  if (!document.is_object()) return false;
  if (const json* error = member(document, "error")) {
    out.error = error->is_string() ? error->get<std::string>()
                                   : error->dump(-1, ' ', false, json::error_handler_t::replace);
    if (out.error.empty()) out.error = "an error without a text";
  }
  if (const json* message = member(document, "message"); message && message->is_object()) {
    append_content(out.text, *message);
    append(out.thinking, *message, "thinking");
  }
  append(out.text, document, "response");
  append(out.thinking, document, "thinking");
  if (out.model.empty()) append(out.model, document, "model");
  const json* done = member(document, "done");
  if (done != nullptr && done->is_boolean() && done->get<bool>()) {
    out.done = true;
    read_final(out, document);
  }
  return true;
}

}  // namespace

ReadReply read_reply(std::string_view body) {
  ReadReply out;
  bool whole = true;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = std::min(body.find('\n', at), body.size());
    const std::string_view line = body.substr(at, end - at);
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!read_document(out, parse(line))) {
      whole = false;
      break;
    }
  }
  if (whole) return out;
  // A document over several lines, as proxies print it; else a line was cut.
  ReadReply again;
  if (read_document(again, parse(body))) return again;
  out.done = false;
  return out;
}

}  // namespace ollama
