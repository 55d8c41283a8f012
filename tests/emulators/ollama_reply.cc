// SPDX-License-Identifier: Apache-2.0
#include "ollama_reply.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "chat.h"
#include "service.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

Json piece(const OllamaRequest& r, const std::string& text, const std::string& thinking) {
  Json out = {{"model", r.name}, {"created_at", rfc3339()}, {"done", false}};
  if (r.is_chat) {
    out["message"] = {{"role", "assistant"}, {"content", text}};
    if (!thinking.empty()) out["message"]["thinking"] = thinking;
  } else {
    out["response"] = text;
    if (!thinking.empty()) out["thinking"] = thinking;
  }
  return out;
}

void add_metrics(Json& last, const Answer& answer, Counts::Clock::time_point begin) {
  const std::int64_t total = std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Counts::Clock::now() - begin).count(),
      4);
  last["done"] = true;
  last["done_reason"] = answer.finish_reason;
  const std::pair<const char*, std::int64_t> metrics[] = {
      {"total_duration", total},
      {"load_duration", total / 10},
      {"prompt_eval_count", answer.prompt_tokens},
      {"prompt_eval_duration", total / 4},
      {"eval_count", answer.completion_tokens},
      {"eval_duration", total / 2}};
  for (const auto& [name, value] : metrics) {
    if (value != 0) last[name] = value;  // zeros are left out
  }
}

// A thinking model thinks unless told not to, and its thoughts use up num_predict.
std::string think(const OllamaRequest& r, bool can_think, Answer& answer) {
  if (!can_think || !r.think.value_or(true)) return "";
  const std::string thoughts = "let me think about that";
  const std::int64_t cost = words_in(thoughts);
  answer.completion_tokens += cost;
  const std::int64_t limit = r.question.max_tokens.value_or(-1);
  if (limit >= 0 && answer.completion_tokens > limit) {
    answer.text = first_words(answer.text, std::max<std::int64_t>(limit - cost, 0));
    answer.completion_tokens = limit;
    answer.finish_reason = "length";
  }
  return thoughts;
}

Json failure_json() {
  return {{"error", "an error was encountered while running the model: unexpected EOF"}};
}

Reply stream(const OllamaRequest& r, const Answer& answer, const std::string& thoughts,
             const Strike& strike, Counts::Clock::time_point begin) {
  std::vector<Json> objects;
  if (!thoughts.empty()) objects.push_back(piece(r, "", thoughts));
  const auto pieces = pieces_of(answer.text);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Json object = piece(r, pieces[i], "");
    if (r.logprobs) object["logprobs"] = logprobs_json({pieces[i]}, r.top_logprobs, i);
    objects.push_back(std::move(object));
  }
  objects.push_back(piece(r, "", ""));
  add_metrics(objects.back(), answer, begin);
  if (strike.is("done_false")) objects.pop_back();
  Reply out = ndjson();
  const std::string end = strike.is("crlf_stream") ? "\r\n" : "\n";
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (strike.is("error_in_200") || (strike.is("error_in_stream") && i == objects.size() / 2)) {
      out.chunks.push_back(failure_json().dump() + end);
      break;
    }
    if (i == 0 || !spoils_bytes(strike)) spoil(objects[i], strike);
    out.chunks.push_back(dump_spoiled(objects[i], strike) + end);
  }
  return out;
}

}  // namespace

std::string rfc3339(double seconds_ahead) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() +
                          static_cast<std::int64_t>(seconds_ahead * 1e9);
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32], out[64];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out, sizeof out, "%s.%09lldZ", day, static_cast<long long>(ns % 1'000'000'000));
  return out;
}

Reply ndjson() {
  Reply reply;
  reply.content_type = "application/x-ndjson";
  reply.stream = true;
  return reply;
}

Reply ollama_reply(const OllamaRequest& r, Answer answer, bool can_think, const Strike& strike,
                   Counts::Clock::time_point begin) {
  const std::string thoughts = think(r, can_think, answer);
  if (r.stream) return stream(r, answer, thoughts, strike, begin);
  if (strike.is("error_in_200") || strike.is("error_in_stream")) return json_reply(failure_json());
  Json whole = piece(r, answer.text, thoughts);
  if (r.logprobs) whole["logprobs"] = logprobs_json(pieces_of(answer.text), r.top_logprobs, 0);
  if (!strike.is("done_false")) add_metrics(whole, answer, begin);
  spoil(whole, strike);
  Reply out;
  out.body = dump_spoiled(whole, strike);
  return out;
}

}  // namespace promptsweep::emulator
