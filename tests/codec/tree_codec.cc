// SPDX-License-Identifier: Apache-2.0
#include "codec/tree_codec.h"

#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

namespace codec {
namespace {

using nlohmann::json;
using psw::http::ChatDialect;
using psw::lines::Answer;
using psw::lines::Finish;
using psw::lines::Message;
using psw::lines::Query;

[[noreturn]] void unsupported(const std::string& text) {
  throw psw::Error(PSW_E_UNSUPPORTED, text);
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json messages_of(const Query& query) {
  json out = json::array();
  for (const Message& message : query.messages)
    out.push_back({{"role", message.role}, {"content", message.content}});
  return out;
}

void put_top_k(json& body, const Query& query, const ChatDialect& dialect) {
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

void put_stops(json& body, const Query& query, const ChatDialect& dialect) {
  if (query.stop.empty()) return;
  if (dialect.most_stops != 0 && query.stop.size() > dialect.most_stops) {
    unsupported("the line has " + std::to_string(query.stop.size()) + " stop strings; " +
                dialect.name + " takes at most " + std::to_string(dialect.most_stops));
  }
  body["stop"] = query.stop;
}

void put_logprobs(json& body, bool raw, std::optional<int> top) {
  if (!top) return;
  body["logprobs"] = raw ? json(*top) : json(true);
  if (!raw && *top > 0) body["top_logprobs"] = *top;
}

const char* name_of(Finish finish) {
  if (finish == Finish::length) return "length";
  return finish == Finish::content_filter ? "content_filter" : "stop";
}

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json timings_of(const Answer& answer) {
  json out;
  if (answer.queue_ms) out["queue_ms"] = *answer.queue_ms;
  if (answer.prefill_ms) out["prefill_ms"] = *answer.prefill_ms;
  if (answer.decode_ms) out["decode_ms"] = *answer.decode_ms;
  if (answer.total_ms) out["total_ms"] = *answer.total_ms;
  return out;
}

}  // namespace

std::string tree_body(const ChatDialect& dialect, const std::string& model,
                      const std::string& extra_json, std::optional<int> top_logprobs,
                      const Query& query) {
  json body = json::parse(dialect.fixed_json);
  body.update(json::parse(extra_json));
  if (!model.empty()) body["model"] = model;
  body["stream"] = false;
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
  put_logprobs(body, query.prompt.has_value(), top_logprobs);
  return dump(body);
}

std::string tree_answer(const Answer& answer) {
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
  const json logprobs = json::parse(answer.logprobs_json, nullptr, false);
  if (!logprobs.is_discarded()) body["logprobs"] = logprobs;
  return dump(body);
}

}  // namespace codec
