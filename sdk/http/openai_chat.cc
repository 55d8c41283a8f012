// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/openai_chat.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace psw {
namespace http {

using nlohmann::json;

struct ChatWriter::State {
  ChatDialect dialect;
  json base;  // what every body begins with
  std::optional<int> top_logprobs;
};

namespace {

[[noreturn]] void unsupported(const std::string& text) {
  throw psw::Error(PSW_E_UNSUPPORTED, text);
}

json messages_of(const lines::Query& query) {
  json out = json::array();
  for (const lines::Message& message : query.messages)
    out.push_back({{"role", message.role}, {"content", message.content}});
  return out;
}

void put_top_k(json& body, const lines::Query& query, const ChatDialect& dialect) {
  const int wanted = query.top_k.value_or(0);
  if (dialect.top_k) {
    if (wanted > dialect.most_top_k) {
      unsupported("top_k is " + std::to_string(wanted) + "; " + dialect.name + " takes at most " +
                  std::to_string(dialect.most_top_k));
    }
    body["top_k"] = wanted > 0 ? wanted : dialect.no_top_k;
  } else if (wanted > 0) {
    unsupported("top_k is " + std::to_string(wanted) + ", and " + dialect.name +
                " has no such option: leave top_k out");
  }
}

void put_stops(json& body, const lines::Query& query, const ChatDialect& dialect) {
  if (query.stop.empty()) return;
  if (dialect.most_stops != 0 && query.stop.size() > dialect.most_stops) {
    unsupported("the line has " + std::to_string(query.stop.size()) + " stop strings; " +
                dialect.name + " takes at most " + std::to_string(dialect.most_stops));
  }
  body["stop"] = query.stop;
}

void put_logprobs(json& body, bool raw, std::optional<int> top) {
  if (!top) return;
  if (raw) {
    body["logprobs"] = *top;
  } else {
    body["logprobs"] = true;
    if (*top > 0) body["top_logprobs"] = *top;
  }
}

}  // namespace

ChatWriter::ChatWriter(ChatDialect dialect, std::string model, std::string_view extra_json,
                       std::optional<int> top_logprobs)
    : state_(std::make_unique<State>()) {
  state_->base = json::parse(dialect.fixed_json);
  json extra = json::parse(extra_json, nullptr, false);
  if (!extra.is_object()) throw psw::Error(PSW_E_INVALID_ARGUMENT, "extra members are no object");
  state_->base.update(extra);
  if (!model.empty()) state_->base["model"] = std::move(model);
  state_->base["stream"] = false;
  state_->dialect = std::move(dialect);
  state_->top_logprobs = top_logprobs;
}
ChatWriter::~ChatWriter() = default;
ChatWriter::ChatWriter(ChatWriter&&) noexcept = default;

const ChatDialect& ChatWriter::dialect() const { return state_->dialect; }

std::string ChatWriter::body(const lines::Query& query) const {
  const ChatDialect& dialect = state_->dialect;
  json body = state_->base;
  if (query.prompt) {
    if (!dialect.raw_prompts)
      unsupported("the line is a raw prompt, and " + dialect.name + " takes chats alone");
    body["prompt"] = *query.prompt;
    body["max_tokens"] = query.max_tokens;
  } else {
    body["messages"] = messages_of(query);
    body[dialect.max_tokens_key] = query.max_tokens;
  }
  body["temperature"] = query.temperature;
  if (query.top_p || dialect.always_top_p) body["top_p"] = query.top_p.value_or(1.0);
  put_top_k(body, query, dialect);
  put_stops(body, query, dialect);
  if (const auto seed = query.seed_to_send()) body["seed"] = *seed;
  put_logprobs(body, query.prompt.has_value(), state_->top_logprobs);
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace http
}  // namespace psw
