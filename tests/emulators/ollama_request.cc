// SPDX-License-Identifier: Apache-2.0
#include "ollama_request.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "chat.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

// Unknown options are ignored; a known one of the wrong type is an error of the scheduler: 500.
std::optional<OllamaRefusal> check_types(const Json& options) {
  static constexpr const char* integers[] = {
      "num_predict", "top_k",   "repeat_last_n", "seed",     "num_keep",
      "num_ctx",     "num_gpu", "num_batch",     "main_gpu", "num_thread"};
  static constexpr const char* floats[] = {"temperature",      "top_p",          "min_p",
                                           "typical_p",        "repeat_penalty", "presence_penalty",
                                           "frequency_penalty"};
  const auto wrong = [](const char* name, const char* type) {
    return OllamaRefusal{500, std::string("option \"") + name + "\" must be of type " + type};
  };
  const auto is_whole = [](const Json& v) {
    return v.is_number_integer() ||
           (v.is_number() &&
            v.get<double>() == static_cast<double>(static_cast<std::int64_t>(v.get<double>())));
  };
  for (const char* name : integers) {
    if (options.contains(name) && !options[name].is_null() && !is_whole(options[name])) {
      return wrong(name, "integer");
    }
  }
  for (const char* name : floats) {
    if (options.contains(name) && !options[name].is_null() && !options[name].is_number()) {
      return wrong(name, "float32");
    }
  }
  if (options.contains("stop") && !options["stop"].is_null()) {
    const Json& stop = options["stop"];
    if (!stop.is_array() ||
        !std::all_of(stop.begin(), stop.end(), [](const Json& s) { return s.is_string(); })) {
      return wrong("stop", "string array");
    }
  }
  return std::nullopt;
}

template <typename Number>
std::optional<Number> number_of(const Json& options, const char* name) {
  const auto field = options.find(name);
  if (field == options.end() || field->is_null()) return std::nullopt;
  return field->get<Number>();
}

void read_options(const Json& options, std::int64_t default_ctx, std::int64_t trained_ctx,
                  OllamaRequest& out) {
  Question& q = out.question;
  q.temperature = number_of<double>(options, "temperature").value_or(0.8);
  q.seed = number_of<std::int64_t>(options, "seed");
  if (q.seed && *q.seed < 0) q.seed.reset();
  q.max_tokens = number_of<std::int64_t>(options, "num_predict");
  if (options.contains("stop") && options["stop"].is_array()) q.stop = options["stop"];
  out.num_ctx = number_of<std::int64_t>(options, "num_ctx").value_or(default_ctx);
  out.num_ctx = std::clamp<std::int64_t>(out.num_ctx, 4, trained_ctx);
  out.runner_key = std::to_string(out.num_ctx);
  for (const char* name :
       {"num_batch", "main_gpu", "num_thread", "use_mmap", "draft_num_predict"}) {
    if (options.contains(name))
      out.runner_key += std::string(",") + name + "=" + options[name].dump();
  }
  if (const auto layers = number_of<std::int64_t>(options, "num_gpu"); layers && *layers >= 0) {
    out.runner_key += ",num_gpu=" + std::to_string(*layers);
  }
}

std::optional<OllamaRefusal> read_content(const Json& body, OllamaRequest& out) {
  if (!out.is_chat) {
    std::string prompt = body.value("prompt", "");
    out.empty = prompt.empty();
    const std::string system = body.value("system", "");
    // A system prompt is part of what is asked.
    out.question.prompt = system.empty() ? std::move(prompt) : system + "\n" + prompt;
    return std::nullopt;
  }
  const Json messages = body.value("messages", Json::array());
  if (!messages.is_array() && !messages.is_null())
    return OllamaRefusal{400, "json: cannot unmarshal messages"};
  for (const Json& message : messages) {
    if (!message.is_object() || !message.value("content", Json("")).is_string()) {
      return OllamaRefusal{400, "json: cannot unmarshal message"};
    }
    out.question.messages.push_back({message.value("role", ""), message.value("content", "")});
  }
  out.empty = out.question.messages.empty();
  return std::nullopt;
}

std::optional<OllamaRefusal> read_switches(const Json& body, OllamaRequest& out) {
  out.stream = body.value("stream", true);
  out.truncate = body.value("truncate", true);
  out.shift = body.value("shift", true);
  out.logprobs = body.value("logprobs", false);
  out.top_logprobs = body.value("top_logprobs", 0);
  if (out.top_logprobs < 0 || out.top_logprobs > 20) {
    return OllamaRefusal{400, "top_logprobs must be between 0 and 20"};
  }
  if (const auto think = body.find("think"); think != body.end() && !think->is_null()) {
    if (!think->is_boolean() && !think->is_string())
      return OllamaRefusal{400, "invalid think value"};
    out.think = think->is_string() || think->get<bool>();
  }
  if (const auto keep = body.find("keep_alive"); keep != body.end() && !keep->is_null()) {
    const auto seconds = keep_alive_seconds(*keep);
    if (!seconds) return OllamaRefusal{400, "time: invalid duration " + keep->dump()};
    out.keep_alive_s = *seconds;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> keep_alive_seconds(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string text = value;
  const char* at = text.c_str();
  const double sign = *at == '-' ? -1 : 1;
  if (*at == '-' || *at == '+') ++at;
  if (std::string_view(at) == "0") return 0.0;
  double seconds = 0;
  bool any = false;
  while (*at) {
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    if (end == at) return std::nullopt;
    at = end;
    const auto unit = [&at](std::string_view name) {
      if (std::string_view(at).substr(0, name.size()) != name) return false;
      at += name.size();
      return true;
    };
    if (unit("ms"))
      seconds += number / 1e3;
    else if (unit("us"))
      seconds += number / 1e6;
    else if (unit("ns"))
      seconds += number / 1e9;
    else if (unit("h"))
      seconds += number * 3600;
    else if (unit("m"))
      seconds += number * 60;
    else if (unit("s"))
      seconds += number;
    else
      return std::nullopt;
    any = true;
  }
  if (!any) return std::nullopt;
  return sign * seconds;
}

std::optional<OllamaRefusal> read_ollama(const Json& body, bool is_chat, std::int64_t default_ctx,
                                         std::int64_t trained_ctx, OllamaRequest& out) {
  out.is_chat = is_chat;
  try {
    out.name = body.value("model", "");
    if (auto refusal = read_content(body, out)) return refusal;
    if (auto refusal = read_switches(body, out)) return refusal;
    const Json options = body.value("options", Json::object());
    if (!options.is_object() && !options.is_null()) {
      return OllamaRefusal{400, "json: cannot unmarshal options"};
    }
    if (auto refusal = check_types(options)) return refusal;
    read_options(options, default_ctx, trained_ctx, out);
  } catch (const Json::exception&) {
    return OllamaRefusal{400, "json: cannot unmarshal a field of the wrong type"};
  }
  return std::nullopt;
}

}  // namespace promptsweep::emulator
