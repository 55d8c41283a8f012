// SPDX-License-Identifier: Apache-2.0
#include "protocol.h"

#include <promptsweep/http/error_body.h>
#include <promptsweep/http/retry.h>
#include <promptsweep/json_text.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "reply.h"

namespace ollama {

using nlohmann::json;
using psw::http::failed_record;
using psw::http::Record;
using psw::http::Reply;
using psw::http::Verdict;
using psw::lines::Query;

namespace {

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_member(const json& object, const char* key) {
  const json* found = member(object, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t count_member(const json& object, const char* key) {
  const json* found = member(object, key);
  return found != nullptr && found->is_number() && found->get<double>() >= 0
             ? found->get<std::uint64_t>()
             : 0;
}

json parse(std::string_view body) {
  json out = json::parse(body, nullptr, false);
  if (out.is_discarded()) out = json::parse(psw::lines::repair_json(body), nullptr, false);
  return out;
}

std::string one_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Lines `stop   "<|im_end|>"` of a Modelfile's parameters.
std::vector<std::string> stops_of(const std::string& parameters) {
  std::vector<std::string> out;
  std::istringstream lines(parameters);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("stop ", 0) != 0) continue;
    const std::size_t at = line.find_first_not_of(" \t", 4);
    if (at == std::string::npos) continue;
    std::string value = line.substr(at);
    while (!value.empty() && (value.back() == '\r' || value.back() == ' ')) value.pop_back();
    const json quoted = json::parse(value, nullptr, false);
    if (quoted.is_string()) value = quoted.get<std::string>();
    if (!value.empty()) out.push_back(std::move(value));
  }
  return out;
}

std::string with_tag(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return std::string(name) + (last.find(':') == std::string_view::npos ? ":latest" : "");
}

}  // namespace

std::optional<Version> read_version(std::string_view body) {
  const json document = parse(body);
  Version out;
  out.text = text_member(document, "version");
  if (out.text.empty()) return std::nullopt;
  std::array<int, 3> n{};
  const char* text = out.text.c_str() + (out.text[0] == 'v' ? 1 : 0);
  if (std::sscanf(text, "%d.%d.%d", &n[0], &n[1], &n[2]) == 3 && n != std::array<int, 3>{})
    out.number = n;
  return out;
}

std::vector<Listed> read_models(std::string_view body) {
  std::vector<Listed> out;
  const json document = parse(body);
  const json* models = member(document, "models");
  if (models == nullptr || !models->is_array()) return out;
  for (const json& model : *models) {
    std::string name = text_member(model, "name");
    if (name.empty()) name = text_member(model, "model");
    if (!name.empty()) out.push_back({std::move(name), text_member(model, "digest")});
  }
  return out;
}

bool is_same_model(std::string_view a, std::string_view b) { return with_tag(a) == with_tag(b); }

bool ModelFacts::can(std::string_view capability) const {
  return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
}

ModelFacts read_facts(std::string_view body) {
  ModelFacts out;
  const json document = parse(body);
  if (const json* details = member(document, "details")) {
    out.quantisation = text_member(*details, "quantization_level");
    out.family = text_member(*details, "family");
    out.parameter_size = text_member(*details, "parameter_size");
  }
  out.template_text = text_member(document, "template");
  out.stops = stops_of(text_member(document, "parameters"));
  const json* capabilities = member(document, "capabilities");
  if (capabilities != nullptr && capabilities->is_array()) {
    for (const json& capability : *capabilities) {
      if (capability.is_string()) out.capabilities.push_back(capability.get<std::string>());
    }
  }
  if (const json* info = member(document, "model_info")) {
    const std::string key = text_member(*info, "general.architecture") + ".context_length";
    out.context_length = count_member(*info, key.c_str());
  }
  return out;
}

std::optional<Loaded> read_loaded(std::string_view body, std::string_view model) {
  const json document = parse(body);
  const json* models = member(document, "models");
  if (models == nullptr || !models->is_array()) return std::nullopt;
  for (const json& entry : *models) {
    if (!is_same_model(text_member(entry, "name"), model)) continue;
    Loaded out;
    out.size = count_member(entry, "size");
    out.size_vram = count_member(entry, "size_vram");
    if (member(entry, "context_length") != nullptr)
      out.context_length = count_member(entry, "context_length");
    return out;
  }
  return std::nullopt;
}

// ---- requests ----------------------------------------------------------------------------------

namespace {

// Options that decide how the model is loaded: the same in every call, or it is loaded again.
json load_options(const Options& options) {
  json out{{"num_ctx", options.num_ctx}};
  if (options.num_gpu >= 0) out["num_gpu"] = options.num_gpu;
  if (options.num_batch > 0) out["num_batch"] = options.num_batch;
  if (options.num_thread > 0) out["num_thread"] = options.num_thread;
  return out;
}

// All of them, since the model's own file and the server's release have other defaults.
json sampling_options(const Options& options, const ModelFacts& facts, const Query& query) {
  json out = load_options(options);
  out["temperature"] = query.temperature;
  out["top_p"] = query.top_p.value_or(1.0);
  out["top_k"] = query.top_k.value_or(0);
  out["min_p"] = 0;
  out["typical_p"] = 1;
  out["repeat_penalty"] = 1;
  out["repeat_last_n"] = 0;
  out["presence_penalty"] = 0;
  out["frequency_penalty"] = 0;
  out["num_predict"] = query.max_tokens;
  if (query.temperature > 0) {
    const auto seed = query.seed_to_send();
    out["seed"] = seed ? json(*seed) : json(-1);
  }
  if (!query.stop.empty()) {
    // A request's stop strings replace the model's own, which end its turns.
    std::vector<std::string> stops = query.stop;
    stops.insert(stops.end(), facts.stops.begin(), facts.stops.end());
    out["stop"] = stops;
  }
  return out;
}

json think_value(const std::string& think) {
  if (think == "off") return false;
  if (think == "on") return true;
  return think;
}

std::string raw_text(const Query& query) {
  if (query.prompt) return *query.prompt;
  std::string out;
  for (const psw::lines::Message& message : query.messages)
    out += (out.empty() ? "" : "\n\n") + message.content;
  return out;
}

}  // namespace

Language::Language(Options options, Version version, ModelFacts facts)
    : options_(std::move(options)), version_(std::move(version)), facts_(std::move(facts)) {}

const char* Language::path(const Query& query) const {
  return options_.raw_prompt || query.prompt ? "/api/generate" : "/api/chat";
}

std::string Language::body(const Query& query) const {
  const auto most = static_cast<std::int64_t>(options_.num_ctx) - query.max_tokens;
  const bool fits = static_cast<std::int64_t>(psw::lines::prompt_bytes(query)) <= most;
  if (most < 1 || (!version_.refuses_long_prompts() && !fits)) {
    throw psw::http::NotSent(
        PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE,
        most < 1 ? "max_tokens of " + std::to_string(query.max_tokens) +
                       " leaves nothing of a num_ctx of " + std::to_string(options_.num_ctx)
                 : "Ollama " + version_.text +
                       " cuts long prompts without a word, so that this one of " +
                       std::to_string(psw::lines::prompt_bytes(query)) +
                       " bytes is not sent with a num_ctx of " + std::to_string(options_.num_ctx) +
                       " and max_tokens of " + std::to_string(query.max_tokens) +
                       ": raise num_ctx, or use Ollama 0.12.4 or later");
  }
  json out{{"model", options_.model},
           {"stream", options_.stream},
           {"truncate", false},
           {"shift", false},
           {"keep_alive", options_.keep_alive},
           {"options", sampling_options(options_, facts_, query)}};
  if (options_.raw_prompt || query.prompt) {
    std::string text = raw_text(query);
    if (text.empty()) {
      throw psw::Error(PSW_E_UNSUPPORTED,
                       "the prompt is empty, which Ollama takes for a wish to "
                       "load the model");
    }
    out["prompt"] = std::move(text);
    out["raw"] = true;
  } else {
    json messages = json::array();
    for (const psw::lines::Message& message : query.messages)
      messages.push_back({{"role", message.role}, {"content", message.content}});
    out["messages"] = std::move(messages);
    if (facts_.can("thinking")) out["think"] = think_value(options_.think);
  }
  return one_line(out);
}

std::string Language::load_body() const {
  return one_line({{"model", options_.model},
                   {"prompt", ""},
                   {"stream", false},
                   {"keep_alive", options_.keep_alive},
                   {"options", load_options(options_)}});
}

std::string Language::unload_body() const {
  return one_line(
      {{"model", options_.model}, {"prompt", ""}, {"stream", false}, {"keep_alive", 0}});
}

// ---- replies -----------------------------------------------------------------------------------

namespace {

psw::Error aborted_for_repetition() {
  return {PSW_E_DATA, "Ollama aborted the answer because the model repeated one token without end"};
}

// What went wrong, by the server's words: its status is 500 for nearly everything, and 200 for what
// happens within a stream.
Record failed_by_words(std::string_view what, const Reply& reply, const Options& options) {
  const std::string said = psw::http::parse_error_body(reply.body).message;
  if (said.find("token repeat limit") != std::string::npos) {
    const psw::Error error = aborted_for_repetition();
    return failed_record(PSW_OUTCOME_ERROR_REQUEST, error.code, error.text);
  }
  const psw::Error error = explain(what, reply, options);
  if (error.code == PSW_E_RESOURCE || error.code == PSW_E_NOT_FOUND || reply.status == 403)
    throw psw::http::JobEnds(error.code, error.text);
  return psw::http::no_answer(what, reply);
}

// The reply that should have come with the error of a stream.
Reply honest_reply(const std::string& error) {
  Reply out;
  out.body = one_line({{"error", error}});
  const bool absent =
      error.find("model") != std::string::npos && error.find("not found") != std::string::npos;
  out.status = absent                                           ? 404
               : error.find("server busy") != std::string::npos ? 503
               : error.find("longer than the context") != std::string::npos ||
                       error.find("context size") != std::string::npos
                   ? 400
                   : 500;
  return out;
}

std::string count(std::uint64_t number) { return std::to_string(number); }

// A prompt and the tokens that its answer may take have to fit together, as they must in process:
// else an arm with a longer system prompt would be cut earlier than its control. What the server
// counted is what it evaluated, so that a prompt that it cut to its window shows here too; one that
// it cut further shows by its length.
std::optional<std::string> does_not_fit(const ReadReply& read, const Options& options,
                                        const Query& query) {
  if (!read.prompt_tokens) return std::nullopt;
  if (is_too_few(*read.prompt_tokens, query)) {
    return "the server evaluated only " + count(*read.prompt_tokens) + " tokens of a prompt of " +
           count(psw::lines::prompt_bytes(query)) + " bytes: it must have cut it";
  }
  const int max_tokens = query.max_tokens;
  const std::uint64_t needed = *read.prompt_tokens + static_cast<std::uint64_t>(max_tokens);
  if (needed <= options.num_ctx) return std::nullopt;
  return "the prompt of " + count(*read.prompt_tokens) + " tokens and max_tokens of " +
         std::to_string(max_tokens) + " do not fit into a num_ctx of " + count(options.num_ctx) +
         ": raise num_ctx";
}

}  // namespace

Verdict Language::judge(const Reply& reply) const {
  Verdict verdict = psw::http::judge_by_status(reply, true);
  if (!reply.arrived()) return verdict;
  if (!reply.good()) {
    const std::string said = psw::http::parse_error_body(reply.body).message;
    const bool again_the_same =
        speaks_of_memory(said) || said.find("token repeat limit") != std::string::npos;
    if (again_the_same) verdict.kind = Verdict::done;
    return verdict;
  }
  const ReadReply read = read_reply(reply.body);
  if (!read.error.empty()) return judge(honest_reply(read.error));
  if (!read.done && !ends_in_repetition(read.text)) verdict.kind = Verdict::again;
  return verdict;
}

Record Language::record(const psw::Request& line, const Reply& reply) const {
  const std::string what = "POST " + options_.base_url + "/api";
  if (!reply.good()) return failed_by_words(what, reply, options_);
  ReadReply read = read_reply(reply.body);
  if (!read.error.empty()) return failed_by_words(what, honest_reply(read.error), options_);
  if (!read.done) {
    if (ends_in_repetition(read.text)) {
      const psw::Error error = aborted_for_repetition();
      return failed_record(PSW_OUTCOME_ERROR_REQUEST, error.code, error.text);
    }
    return failed_record(PSW_OUTCOME_ERROR_BACKEND, PSW_E_DATA,
                         what + ": the answer is not whole (no done:true)");
  }
  if (read.done_reason == "load" || read.done_reason == "unload") {
    return failed_record(PSW_OUTCOME_ERROR_BACKEND, PSW_E_DATA,
                         what + ": the server loaded the model and answered nothing");
  }
  if (!version_.counts_whole_prompts()) read.prompt_tokens.reset();
  const Query query = psw::lines::parse_query(line.line);
  if (const auto why = does_not_fit(read, options_, query))
    return failed_record(PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE, *why);

  psw::lines::Answer answer;
  answer.text = std::move(read.text);
  answer.reasoning = std::move(read.thinking);
  const bool limited = read.done_reason.empty()
                           ? read.completion_tokens >= static_cast<std::uint64_t>(query.max_tokens)
                           : read.done_reason == "length";
  answer.finish = limited ? psw::lines::Finish::length : psw::lines::Finish::stop;
  answer.model = read.model;
  answer.prompt_tokens = answer.prompt_tokens_evaluated = read.prompt_tokens;
  answer.completion_tokens = read.completion_tokens;
  if (query.seed_to_send()) answer.seed_honoured = true;
  answer.queue_ms = reply.queue_ms;
  answer.total_ms = reply.total_ms;
  answer.prefill_ms = read.prefill_ms;
  answer.decode_ms = read.decode_ms;
  Record record;
  record.outcome = limited ? PSW_OUTCOME_TRUNCATED : PSW_OUTCOME_OK;
  record.usage = {read.prompt_tokens.value_or(0), read.completion_tokens};
  record.body_json = psw::lines::answer_body(answer);
  return record;
}

namespace {

std::uint64_t characters_that_count(std::string_view text) {
  std::uint64_t characters = 0;
  char before = '\0';
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    const char kind = blank ? ' ' : c;
    if (!continues && kind != before) ++characters;
    before = kind;
  }
  return characters;
}

}  // namespace

bool is_too_few(std::uint64_t tokens, const Query& query) {
  std::uint64_t characters = query.prompt ? characters_that_count(*query.prompt) : 0;
  for (const psw::lines::Message& message : query.messages)
    characters += characters_that_count(message.content);
  return characters > 8 * tokens + (query.prompt ? 64 : 0);
}

bool speaks_of_memory(std::string_view text) {
  for (const std::string_view words :
       {"out of memory", "out-of-memory", "cudaMalloc failed", "failed to allocate",
        "requires more system memory", "unable to load full model on GPU",
        "llama-server process has terminated", "llama runner process has terminated",
        "unable to allocate"}) {
    if (text.find(words) != std::string_view::npos) return true;
  }
  return false;
}

bool ends_in_repetition(std::string_view text) {
  constexpr std::size_t least = 30, longest_piece = 48;
  for (std::size_t piece = 1; piece <= longest_piece && piece * least <= text.size(); ++piece) {
    const std::string_view tail = text.substr(text.size() - piece * least);
    // Equal to itself, moved by one piece.
    if (tail.substr(piece) == tail.substr(0, tail.size() - piece)) return true;
  }
  return false;
}

psw::Error explain(std::string_view what, const Reply& reply, const Options& options) {
  using psw::http::Failure;
  psw::Error error = psw::http::to_error(what, reply);
  if (reply.failure == Failure::connect || reply.failure == Failure::resolve) {
    error.text = "no Ollama server answers at " + options.base_url +
                 ": start it with `ollama serve`, or set base_url (" + reply.failure_text + ")";
    return error;
  }
  if (!reply.arrived()) return error;
  const std::string said = psw::http::parse_error_body(reply.body).message;
  if (reply.status == 404 && said.find("not found") != std::string::npos &&
      said.find("page") == std::string::npos) {
    error.code = PSW_E_NOT_FOUND;
    error.text = "Ollama has no model " + options.model + ": get it with `ollama pull " +
                 options.model + "`";
  } else if (reply.status == 403 && reply.body.empty()) {
    error.text = "Ollama refuses the host name in " + options.base_url +
                 ": it lets local names in alone; use 127.0.0.1, or set OLLAMA_HOST of the server";
  } else if (reply.status >= 500 && speaks_of_memory(said)) {
    error.code = PSW_E_RESOURCE;
    error.text = "Ollama has not the memory for " + options.model + " with a num_ctx of " +
                 count(options.num_ctx) + ": " + said;
  }
  return error;
}

}  // namespace ollama
