// SPDX-License-Identifier: Apache-2.0
#include "chat.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "service.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

// Stands in the content for what only raw bytes can say.
constexpr const char* marker = "@@spoiled@@";

Refusal bad(const std::string& message, const std::string& param) {
  Refusal refusal;
  refusal.message = message;
  refusal.param = param;
  return refusal;
}

template <typename Number>
std::optional<Refusal> read_number(const Json& body, const char* name, std::optional<Number>& out) {
  const auto field = body.find(name);
  if (field == body.end() || field->is_null()) return std::nullopt;
  const bool fits = std::is_integral_v<Number> ? field->is_number_integer() : field->is_number();
  if (!fits) return bad(std::string("Invalid type for '") + name + "'.", name);
  out = field->get<Number>();
  return std::nullopt;
}

std::optional<Refusal> read_messages(const Json& body, Question& out) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty()) {
    return bad("[] is too short - 'messages'", "messages");
  }
  for (const Json& message : *messages) {
    if (!message.is_object() || !message.value("role", Json()).is_string()) {
      return bad("a message needs a role", "messages");
    }
    const std::string role = message.at("role");
    if (role != "system" && role != "user" && role != "assistant" && role != "tool" &&
        role != "developer") {
      return bad("invalid role: " + role, "messages");
    }
    const auto text = content_text(message.value("content", Json()));
    if (!text) return bad("a message's content must be text", "messages");
    out.messages.push_back({role, *text});
  }
  return std::nullopt;
}

std::optional<Refusal> read_sampling(const Json& body, Question& out) {
  if (auto r = read_number(body, "temperature", out.temperature)) return r;
  if (out.temperature && (*out.temperature < 0 || *out.temperature > 2)) {
    return bad("temperature must be between 0 and 2", "temperature");
  }
  if (auto r = read_number(body, "seed", out.seed)) return r;
  std::optional<std::int64_t> newer;
  if (auto r = read_number(body, "max_tokens", out.max_tokens)) return r;
  if (auto r = read_number(body, "max_completion_tokens", newer)) return r;
  if (newer) out.max_tokens = newer;
  if (const auto stop = body.find("stop"); stop != body.end() && !stop->is_null()) {
    if (stop->is_string())
      out.stop.push_back(*stop);
    else if (stop->is_array())
      out.stop = stop->get<std::vector<std::string>>();
    else
      return bad("stop must be a string or an array of strings", "stop");
  }
  return std::nullopt;
}

Json usage_json(const Answer& answer) {
  return {{"prompt_tokens", answer.prompt_tokens},
          {"completion_tokens", answer.completion_tokens},
          {"total_tokens", answer.prompt_tokens + answer.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", 0}}}};
}

Json head_json(const ChatRequest& request, const CompletionStyle& style, const char* object) {
  const std::uint64_t hash = request.question.hash();
  char id[40];
  std::snprintf(id, sizeof id, "chatcmpl-%016llx", static_cast<unsigned long long>(hash));
  // A made-up time: the same question has the same reply, to the byte.
  Json out = {{"id", id},
              {"object", object},
              {"created", 1767225600 + hash % 1000000},
              {"model", style.model}};
  if (!style.fingerprint.empty()) out["system_fingerprint"] = style.fingerprint;
  return out;
}

Json error_json() {
  return {{"error",
           {{"message", "the server had an error while answering"},
            {"type", "server_error"},
            {"param", nullptr},
            {"code", 500}}}};
}

void numbers_to_strings(Json& value) {
  if (value.is_number()) value = value.dump();
  if (value.is_structured()) {
    for (Json& child : value) numbers_to_strings(child);
  }
}

// The text to be spoiled, of whichever protocol, or null.
Json* content_of(Json& reply) {
  if (reply.contains("choices") && !reply["choices"].empty()) {
    Json& choice = reply["choices"][0];
    for (const char* part : {"message", "delta"}) {
      if (choice.contains(part)) return &choice[part];
    }
  }
  if (reply.contains("message")) return &reply["message"];
  return reply.contains("response") ? &reply : nullptr;
}

void spoil_content(Json& reply, const Strike& strike) {
  Json* message = content_of(reply);
  if (message == nullptr) return;
  const char* field = message->contains("response") ? "response" : "content";
  if (!message->contains(field)) return;
  Json& content = (*message)[field];
  if (strike.is("content_missing")) {
    message->erase(field);
  } else if (strike.is("content_null")) {
    content = nullptr;
  } else if (content.is_string() && strike.is("content_parts")) {
    const std::string text = content;
    std::size_t half = text.size() / 2;
    while (half > 0 && (static_cast<unsigned char>(text[half]) & 0xC0) == 0x80) --half;
    content = Json::array({{{"type", "text"}, {"text", text.substr(0, half)}},
                           {{"type", "text"}, {"text", text.substr(half)}}});
  } else if (content.is_string() && spoils_bytes(strike)) {
    content = content.get<std::string>() + marker;
  }
}

void spoil_finish(Json& reply, const Json& reason) {
  if (reply.contains("choices")) {
    for (Json& choice : reply["choices"]) {
      if (!choice.contains("finish_reason") || choice["finish_reason"].is_null()) continue;
      if (reason.is_null())
        choice.erase("finish_reason");
      else
        choice["finish_reason"] = reason;
    }
  }
  if (reply.contains("done_reason")) {
    if (reason.is_null())
      reply.erase("done_reason");
    else
      reply["done_reason"] = reason;
  }
}

Reply text_reply(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  return reply;
}

std::string event(const Json& data, const Strike& strike) {
  const std::string end = strike.is("crlf_stream") ? "\r\n" : "\n";
  return "data: " + dump_spoiled(data, strike) + end + end;
}

std::vector<Json> stream_objects(const ChatRequest& request, const Answer& answer,
                                 const CompletionStyle& style) {
  const Json head = head_json(request, style, "chat.completion.chunk");
  std::vector<Json> out;
  const auto add = [&](Json delta, Json finish, int index, Json logprobs = nullptr) {
    Json chunk = head;
    chunk["choices"] = Json::array({{{"index", index},
                                     {"delta", std::move(delta)},
                                     {"finish_reason", std::move(finish)},
                                     {"logprobs", std::move(logprobs)}}});
    if (request.include_usage) chunk["usage"] = nullptr;
    out.push_back(std::move(chunk));
  };
  const auto pieces = pieces_of(answer.text);
  for (int index = 0; index < request.choices; ++index) {
    add({{"role", "assistant"}, {"content", ""}}, nullptr, index);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      Json logprobs;
      if (request.logprobs)
        logprobs["content"] = logprobs_json({pieces[i]}, request.top_logprobs, i);
      add({{"content", pieces[i]}}, nullptr, index, std::move(logprobs));
    }
    add(Json::object(), answer.finish_reason, index);
  }
  if (request.include_usage) {
    Json chunk = head;
    chunk["choices"] = Json::array();
    chunk["usage"] = usage_json(answer);
    out.push_back(std::move(chunk));
  }
  return out;
}

Reply stream_reply(const ChatRequest& request, const Answer& answer, const CompletionStyle& style,
                   const Strike& strike) {
  Reply reply;
  reply.content_type = "text/event-stream";
  reply.stream = true;
  const std::vector<Json> objects = stream_objects(request, answer, style);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (strike.is("error_in_200") || (strike.is("error_in_stream") && i == objects.size() / 2)) {
      reply.chunks.push_back(event(error_json(), {}));
      break;
    }
    if (strike.is("old_error_event") && i == objects.size() / 2) {
      reply.chunks.push_back("error: " + error_json()["error"].dump() + "\n\n");
      break;
    }
    Json object = objects[i];
    // These hit one piece of the text, the others all.
    if (i == 1 || !spoils_bytes(strike)) spoil(object, strike);
    if (strike.is("keepalive_comments")) reply.chunks.push_back(": keep-alive\n\n");
    reply.chunks.push_back(event(object, strike));
  }
  reply.chunks.push_back("data: [DONE]\n\n");
  return reply;
}

}  // namespace

std::optional<std::string> content_text(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (content.is_null()) return "";
  if (!content.is_array()) return std::nullopt;
  std::string text;
  for (const Json& part : content) {
    if (!part.is_object() || part.value("type", "") != "text" || !part.contains("text")) {
      return std::nullopt;
    }
    text += part.at("text").get<std::string>();
  }
  return text;
}

std::optional<Refusal> read_chat(const Json& body, ChatRequest& out) {
  if (!body.is_object()) return bad("the body must be a JSON object", "");
  if (body.contains("model") && !body.at("model").is_string()) {
    return bad("Invalid type for 'model'.", "model");
  }
  out.question.model = body.value("model", "");
  if (auto r = read_messages(body, out.question)) return r;
  try {
    if (auto r = read_sampling(body, out.question)) return r;
    out.stream = body.value("stream", false);
    if (body.contains("stream_options") && body.at("stream_options").is_object()) {
      out.include_usage = body.at("stream_options").value("include_usage", false);
    }
    // Fireworks takes a number too.
    if (const auto wanted = body.find("logprobs"); wanted != body.end() && !wanted->is_null()) {
      out.logprobs = wanted->is_boolean() ? wanted->get<bool>() : wanted->get<int>() > 0;
      if (wanted->is_number()) out.top_logprobs = wanted->get<int>();
    }
    out.top_logprobs = std::max(out.top_logprobs, body.value("top_logprobs", 0));
    out.choices = body.value("n", 1);
  } catch (const Json::exception&) {
    return bad("a field has the wrong type", "");
  }
  if (out.top_logprobs < 0 || out.top_logprobs > 20) {
    return bad("top_logprobs must be between 0 and 20", "top_logprobs");
  }
  if (out.choices < 1 || out.choices > 128) return bad("n must be between 1 and 128", "n");
  return std::nullopt;
}

Json logprobs_json(const std::vector<std::string>& pieces, int top, std::size_t first) {
  const auto bytes_of = [](const std::string& text) {
    Json bytes = Json::array();
    for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
    return bytes;
  };
  Json out = Json::array();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const double logprob = logprob_of(pieces[i], first + i);
    Json tops = Json::array();
    for (int k = 0; k < top; ++k) {
      const std::string token = k == 0 ? pieces[i] : " other" + std::to_string(k);
      tops.push_back({{"token", token}, {"logprob", logprob - k}, {"bytes", bytes_of(token)}});
    }
    out.push_back({{"token", pieces[i]},
                   {"logprob", logprob},
                   {"bytes", bytes_of(pieces[i])},
                   {"top_logprobs", std::move(tops)}});
  }
  return out;
}

Json completion_json(const ChatRequest& request, const Answer& answer,
                     const CompletionStyle& style) {
  Json out = head_json(request, style, "chat.completion");
  out["choices"] = Json::array();
  for (int index = 0; index < request.choices; ++index) {
    Json choice = {{"index", index},
                   {"message", {{"role", "assistant"}, {"content", answer.text}}},
                   {"finish_reason", answer.finish_reason},
                   {"logprobs", nullptr}};
    if (request.logprobs) {
      choice["logprobs"] = {
          {"content", logprobs_json(pieces_of(answer.text), request.top_logprobs, 0)}};
    }
    out["choices"].push_back(std::move(choice));
  }
  out["usage"] = usage_json(answer);
  if (style.timings) {
    out["timings"] = {{"cache_n", 0},
                      {"prompt_n", answer.prompt_tokens},
                      {"prompt_ms", 1.5},
                      {"predicted_n", answer.completion_tokens},
                      {"predicted_ms", 2.5}};
  }
  return out;
}

bool spoils_bytes(const Strike& strike) {
  return strike.is("invalid_utf8") || strike.is("lone_surrogate") || strike.is("nul_in_content") ||
         strike.is("content_10mb");
}

void spoil(Json& reply, const Strike& strike) {
  if (!strike) return;
  if (strike.is("numbers_as_strings")) numbers_to_strings(reply);
  if (strike.is("unknown_fields")) {
    reply["x_unknown"] = {{"deep", {1, nullptr, "text", Json::object()}}};
  }
  if (strike.is("usage_null")) {
    for (const char* name : {"usage", "prompt_eval_count", "eval_count"}) {
      if (reply.contains(name)) reply[name] = nullptr;
    }
  }
  if (strike.is("usage_missing")) {
    for (const char* name : {"usage", "timings", "prompt_eval_count", "eval_count"})
      reply.erase(name);
  }
  if (strike.is("choices_empty") && reply.contains("choices")) reply["choices"] = Json::array();
  if (strike.is("finish_missing")) spoil_finish(reply, nullptr);
  if (strike.is("content_filter")) spoil_finish(reply, "content_filter");
  if (strike.is("unknown_finish")) spoil_finish(reply, "boredom");
  spoil_content(reply, strike);
}

std::string dump_spoiled(const Json& reply, const Strike& strike) {
  std::string text = reply.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (!strike) return text;
  const std::size_t at = text.find(marker);
  if (at == std::string::npos) return text;
  const std::string bytes = strike.is("invalid_utf8")     ? std::string("\xC3\x28\xFF\xED\xA0\x80")
                            : strike.is("lone_surrogate") ? std::string("\\ud83d")
                            : strike.is("nul_in_content") ? std::string("\\u0000")
                                                          : std::string(10'000'000, 'x');
  return text.replace(at, std::string_view(marker).size(), bytes);
}

Reply completion_reply(const ChatRequest& request, const Answer& answer,
                       const CompletionStyle& style, const Strike& strike) {
  if (request.stream) return stream_reply(request, answer, style, strike);
  if (strike.is("error_in_200") || strike.is("error_in_stream") || strike.is("old_error_event")) {
    return text_reply(error_json().dump());
  }
  Json body = completion_json(request, answer, style);
  spoil(body, strike);
  return text_reply(dump_spoiled(body, strike));
}

}  // namespace promptsweep::emulator
