// SPDX-License-Identifier: Apache-2.0
// Chat completions as records. Servers differ in everything but the middle of the road, so that
// what is missing, null or of another type is taken for what it most likely means, and what cannot
// be told apart from an accident is a transient failure.
#include <promptsweep/http/error_body.h>
#include <promptsweep/http/openai_chat.h>
#include <promptsweep/http/retry.h>
#include <promptsweep/json_text.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "chat_reply.h"
#include "error_words.h"

namespace psw {
namespace http {
namespace {

using nlohmann::json;

json parse(std::string_view text) {
  json out = json::parse(text, nullptr, false);
  if (out.is_discarded()) out = json::parse(lines::repair_json(text), nullptr, false);
  return out;
}

// nullptr for what is absent or null.
const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_member(const json& object, const char* key) {
  const json* found = member(object, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

// Numbers, and numbers written as strings.
std::optional<double> number_member(const json& object, const char* key) {
  const json* found = member(object, key);
  if (found == nullptr) return std::nullopt;
  if (found->is_number()) return found->get<double>();
  if (!found->is_string()) return std::nullopt;
  const std::string& text = found->get_ref<const std::string&>();
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> count_member(const json& object, const char* key) {
  const std::optional<double> value = number_member(object, key);
  if (!value || !(*value >= 0) || *value > 9e15) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::optional<double> milliseconds_member(const json& object, const char* key) {
  const std::optional<double> value = number_member(object, key);
  return value && *value >= 0 ? value : std::nullopt;
}

// A text, or an array of parts with texts.
std::string text_of_content(const json* content) {
  if (content == nullptr) return "";
  if (content->is_string()) return content->get<std::string>();
  std::string out;
  if (content->is_array()) {
    for (const json& part : *content)
      out += part.is_string() ? part.get<std::string>() : text_member(part, "text");
  }
  return out;
}

std::string text_of_choice(const json& choice) {
  const json* message = member(choice, "message");
  if (message == nullptr) return text_member(choice, "text");
  std::string text = text_of_content(member(*message, "content"));
  // A model that declines says so here, and it is its answer.
  return text.empty() ? text_member(*message, "refusal") : text;
}

std::string reasoning_of_choice(const json& choice) {
  const json* message = member(choice, "message");
  if (message == nullptr) return "";
  std::string out = text_member(*message, "reasoning_content");
  return out.empty() ? text_member(*message, "reasoning") : out;
}

std::optional<lines::Finish> finish_of(std::string reason) {
  std::transform(reason.begin(), reason.end(), reason.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const char* stop :
       {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "function_call"}) {
    if (reason == stop) return lines::Finish::stop;
  }
  for (const char* limit : {"length", "limit", "max_tokens"}) {
    if (reason == limit) return lines::Finish::length;
  }
  for (const char* filter : {"content_filter", "safety", "recitation"}) {
    if (reason == filter) return lines::Finish::content_filter;
  }
  return std::nullopt;
}

std::int32_t outcome_of_finish(lines::Finish finish) {
  switch (finish) {
    case lines::Finish::length:
      return PSW_OUTCOME_TRUNCATED;
    case lines::Finish::content_filter:
      return PSW_OUTCOME_FILTERED;
    case lines::Finish::stop:
      return PSW_OUTCOME_OK;
  }
  return PSW_OUTCOME_OK;
}

// The error in a document that came with status 200; nullptr: none.
const json* error_in(const json& document) {
  const json* error = member(document, "error");
  const bool has_choices = member(document, "choices") != nullptr;
  if (error != nullptr && !has_choices) return &document;
  if (!has_choices && text_member(document, "object") == "error") return &document;
  const json* choices = member(document, "choices");
  if (choices != nullptr && choices->is_array() && !choices->empty() &&
      member(choices->front(), "error") != nullptr) {
    return &choices->front();
  }
  return nullptr;
}

// The reply that the service should have sent.
Reply honest_reply(const json& error) {
  Reply reply;
  reply.body = error.dump(-1, ' ', false, json::error_handler_t::replace);
  reply.status = status_of(parse_error_body(reply.body));
  return reply;
}

Record nonsense(std::string_view what, const std::string& text) {
  return failed_record(PSW_OUTCOME_ERROR_BACKEND, PSW_E_DATA, std::string(what) + ": " + text);
}

ChatReply chat_of(const json& document, const json& choice) {
  ChatReply out;
  out.finish_reason = text_member(choice, "finish_reason");
  out.has_message = member(choice, "message") != nullptr || member(choice, "text") != nullptr;
  out.text = text_of_choice(choice);
  out.reasoning = reasoning_of_choice(choice);
  out.model = text_member(document, "model");
  out.id = text_member(document, "id");
  out.system_fingerprint = text_member(document, "system_fingerprint");
  if (const json* logprobs = member(choice, "logprobs"))
    out.logprobs_json = logprobs->dump(-1, ' ', false, json::error_handler_t::replace);
  if (const json* usage = member(document, "usage")) {
    out.prompt_tokens = count_member(*usage, "prompt_tokens");
    out.completion_tokens = count_member(*usage, "completion_tokens");
  }
  if (const json* timings = member(document, "timings")) {  // llama-server
    out.prefill_ms = milliseconds_member(*timings, "prompt_ms");
    out.decode_ms = milliseconds_member(*timings, "predicted_ms");
  }
  return out;
}

Record read_body(std::string_view what, const psw::Request& line, std::string_view body,
                 const ChatDialect& dialect, const Reply* reply) {
  if (std::optional<ChatReply> chat = plain_chat(body))
    return record_of(what, line, *std::move(chat), dialect, reply);
  return tree_record(what, line, body, dialect, reply);
}

bool ends_like_an_object(std::string_view body) {
  const std::size_t last = body.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && body[last] == '}';
}

}  // namespace

Record tree_record(std::string_view what, const psw::Request& line, std::string_view body,
                   const ChatDialect& dialect, const Reply* reply) {
  const json document = parse(body);
  if (!document.is_object()) return nonsense(what, "the reply is not a whole JSON object");
  if (const json* error = error_in(document)) return no_answer(what, honest_reply(*error));
  const json* choices = member(document, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty() ||
      !choices->front().is_object()) {
    return nonsense(what, "the reply has no choices");
  }
  return record_of(what, line, chat_of(document, choices->front()), dialect, reply);
}

Record record_of(std::string_view what, const psw::Request& line, ChatReply chat,
                 const ChatDialect& dialect, const Reply* reply) {
  const std::string& reason = chat.finish_reason;
  const std::optional<lines::Finish> finish = finish_of(reason);
  if (!finish) {
    return nonsense(what, reason.empty() ? "the answer has no finish_reason: it is not whole"
                                         : "the answer ended with finish_reason " + reason);
  }
  if (!chat.has_message) return nonsense(what, "the answer has no message");

  lines::Answer answer;
  answer.text = std::move(chat.text);
  answer.finish = *finish;
  answer.reasoning = std::move(chat.reasoning);
  answer.model = std::move(chat.model);
  answer.remote_id = std::move(chat.id);
  answer.system_fingerprint = std::move(chat.system_fingerprint);
  answer.logprobs_json = std::move(chat.logprobs_json);
  // The line is looked at only where the dialect has something to say.
  if (dialect.seed_honoured && lines::wishes_seed(line.line))
    answer.seed_honoured = dialect.seed_honoured;
  answer.prompt_tokens = chat.prompt_tokens;
  answer.completion_tokens = chat.completion_tokens;
  if (dialect.refuses_long_prompts) answer.prompt_tokens_evaluated = answer.prompt_tokens;
  if (reply != nullptr) {
    answer.queue_ms = reply->queue_ms;
    answer.total_ms = reply->total_ms;
  }
  answer.prefill_ms = chat.prefill_ms;
  answer.decode_ms = chat.decode_ms;
  Record record;
  record.usage.prompt_tokens = answer.prompt_tokens.value_or(0);
  record.usage.completion_tokens = answer.completion_tokens.value_or(0);
  record.outcome = outcome_of_finish(*finish);
  record.body_json = lines::answer_body(answer);
  return record;
}

Verdict judge_chat(const Reply& reply) {
  Verdict verdict = judge_by_status(reply, true);
  if (!reply.arrived()) return verdict;
  if (reply.status == 429 && speaks_of_quota(parse_error_body(reply.body))) {
    verdict.kind = Verdict::done;  // no waiting helps
    return verdict;
  }
  if (!reply.good()) return verdict;
  if (!ends_like_an_object(reply.body)) {
    verdict.kind = Verdict::again;
    return verdict;
  }
  // Within a text the quotes would be escaped, so that few answers are looked at twice.
  if (reply.body.find("\"error\"") == std::string::npos) return verdict;
  const json document = parse(reply.body);
  if (const json* error = document.is_object() ? error_in(document) : nullptr)
    return judge_chat(honest_reply(*error));
  return verdict;
}

Record read_chat(std::string_view what, const psw::Request& line, const Reply& reply,
                 const ChatDialect& dialect) {
  if (!reply.good()) return no_answer(what, reply);
  return read_body(what, line, reply.body, dialect, &reply);
}

Record read_completion(std::string_view what, const psw::Request& line, std::string_view text,
                       const ChatDialect& dialect) {
  return read_body(what, line, text, dialect, nullptr);
}

}  // namespace http
}  // namespace psw
