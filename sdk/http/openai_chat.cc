// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/openai_chat.h>
#include <promptsweep/json_plain.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace psw {
namespace http {

using nlohmann::json;

namespace {

// What a request line says, in the order in which a later one wins over an earlier one.
enum class Said {
  nothing,
  messages,
  prompt,
  max_tokens,       // where the server takes it under the dialect's name
  max_tokens_here,  // "max_tokens": of raw prompts always
  temperature,
  top_p,
  top_k,
  stop,
  seed,
  logprobs,
  top_logprobs,
};

// A place in every body: what the line says, else what every body has there, else nothing.
struct Slot {
  std::string key;    // "\"key\":"
  std::string fixed;  // JSON; empty: none
  Said said = Said::nothing;
};

[[noreturn]] void unsupported(const std::string& text) {
  throw psw::Error(PSW_E_UNSUPPORTED, text);
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Sorted by name.
std::vector<Slot> slots_of(const json& base, const ChatDialect& dialect) {
  std::map<std::string, Slot> slots;
  for (const auto& [key, value] : base.items()) slots[key].fixed = dump(value);
  slots["messages"].said = Said::messages;
  slots["prompt"].said = Said::prompt;
  slots["max_tokens"].said = Said::max_tokens_here;
  slots[dialect.max_tokens_key].said = Said::max_tokens;
  slots["temperature"].said = Said::temperature;
  slots["top_p"].said = Said::top_p;
  slots["top_k"].said = Said::top_k;
  slots["stop"].said = Said::stop;
  slots["seed"].said = Said::seed;
  slots["logprobs"].said = Said::logprobs;
  slots["top_logprobs"].said = Said::top_logprobs;
  std::vector<Slot> out;
  for (auto& [key, slot] : slots) {
    slot.key = dump(key) + ":";
    out.push_back(std::move(slot));
  }
  return out;
}

void check_prompt(const lines::Query& query, const ChatDialect& dialect) {
  if (query.prompt && !dialect.raw_prompts)
    unsupported("the line is a raw prompt, and " + dialect.name + " takes chats alone");
}

void check_top_k(const lines::Query& query, const ChatDialect& dialect) {
  const int wanted = query.top_k.value_or(0);
  if (dialect.top_k && wanted > dialect.most_top_k) {
    unsupported("top_k is " + std::to_string(wanted) + "; " + dialect.name + " takes at most " +
                std::to_string(dialect.most_top_k));
  }
  if (!dialect.top_k && wanted > 0) {
    unsupported("top_k is " + std::to_string(wanted) + ", and " + dialect.name +
                " has no such option: leave top_k out");
  }
}

void check_stops(const lines::Query& query, const ChatDialect& dialect) {
  if (dialect.most_stops != 0 && query.stop.size() > dialect.most_stops) {
    unsupported("the line has " + std::to_string(query.stop.size()) + " stop strings; " +
                dialect.name + " takes at most " + std::to_string(dialect.most_stops));
  }
}

void append_messages(std::string& out, const std::vector<lines::Message>& messages) {
  const char* before = "[";
  for (const lines::Message& message : messages) {
    out += std::exchange(before, ",");
    out += "{\"content\":";
    lines::append_json_text(out, message.content);
    out += ",\"role\":";
    lines::append_json_text(out, message.role);
    out += '}';
  }
  out += messages.empty() ? "[]" : "]";
}

void append_stops(std::string& out, const std::vector<std::string>& stops) {
  const char* before = "[";
  for (const std::string& stop : stops) {
    out += std::exchange(before, ",");
    lines::append_json_text(out, stop);
  }
  out += ']';
}

std::size_t most_bytes_expected(const lines::Query& query) {
  constexpr std::size_t members = 1024;
  const std::size_t texts = lines::prompt_bytes(query);
  return texts + texts / 8 + members;
}

}  // namespace

struct ChatWriter::State {
  ChatDialect dialect;
  std::vector<Slot> slots;
  std::optional<int> top_logprobs;

  bool says(Said said, const lines::Query& query) const;
  void append(Said said, const lines::Query& query, std::string& out) const;
};

bool ChatWriter::State::says(Said said, const lines::Query& query) const {
  const bool raw = query.prompt.has_value();
  switch (said) {
    case Said::nothing:
      return false;
    case Said::messages:
      return !raw;
    case Said::prompt:
    case Said::max_tokens_here:
      return raw;
    case Said::max_tokens:
      return !raw || dialect.max_tokens_key == "max_tokens";
    case Said::temperature:
      return true;
    case Said::top_p:
      return query.top_p || dialect.always_top_p;
    case Said::top_k:
      return dialect.top_k;
    case Said::stop:
      return !query.stop.empty();
    case Said::seed:
      return query.seed_to_send().has_value();
    case Said::logprobs:
      return top_logprobs.has_value();
    case Said::top_logprobs:
      return !raw && top_logprobs.value_or(0) > 0;
  }
  return false;
}

// REQUIRES: says(said, query).
void ChatWriter::State::append(Said said, const lines::Query& query, std::string& out) const {
  switch (said) {
    case Said::nothing:
      return;
    case Said::messages:
      return append_messages(out, query.messages);
    case Said::prompt:
      return lines::append_json_text(out, *query.prompt);
    case Said::max_tokens:
    case Said::max_tokens_here:
      out += std::to_string(query.max_tokens);
      return;
    case Said::temperature:
      return lines::append_json_number(out, query.temperature);
    case Said::top_p:
      return lines::append_json_number(out, query.top_p.value_or(1.0));
    case Said::top_k:
      out += std::to_string(query.top_k.value_or(0) > 0 ? *query.top_k : dialect.no_top_k);
      return;
    case Said::stop:
      return append_stops(out, query.stop);
    case Said::seed:
      out += std::to_string(*query.seed_to_send());
      return;
    case Said::logprobs:
      out += query.prompt ? std::to_string(*top_logprobs) : "true";
      return;
    case Said::top_logprobs:
      out += std::to_string(*top_logprobs);
      return;
  }
}

ChatWriter::ChatWriter(ChatDialect dialect, std::string model, std::string_view extra_json,
                       std::optional<int> top_logprobs)
    : state_(std::make_unique<State>()) {
  json base = json::parse(dialect.fixed_json);
  json extra = json::parse(extra_json, nullptr, false);
  if (!extra.is_object()) throw psw::Error(PSW_E_INVALID_ARGUMENT, "extra members are no object");
  base.update(extra);
  if (!model.empty()) base["model"] = std::move(model);
  base["stream"] = false;
  state_->slots = slots_of(base, dialect);
  state_->dialect = std::move(dialect);
  state_->top_logprobs = top_logprobs;
}
ChatWriter::~ChatWriter() = default;
ChatWriter::ChatWriter(ChatWriter&&) noexcept = default;

const ChatDialect& ChatWriter::dialect() const { return state_->dialect; }

std::string ChatWriter::body(const lines::Query& query) const {
  check_prompt(query, state_->dialect);
  check_top_k(query, state_->dialect);
  check_stops(query, state_->dialect);
  std::string out;
  out.reserve(most_bytes_expected(query));
  char before = '{';
  for (const Slot& slot : state_->slots) {
    const bool said = state_->says(slot.said, query);
    if (!said && slot.fixed.empty()) continue;
    out += std::exchange(before, ',');
    out += slot.key;
    if (said) {
      state_->append(slot.said, query, out);
    } else {
      out += slot.fixed;
    }
  }
  out += '}';
  return out;
}

}  // namespace http
}  // namespace psw
