// SPDX-License-Identifier: Apache-2.0
// Ollama's own API, and its /v1/chat/completions.
#include <openssl/evp.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "chat.h"
#include "ollama_reply.h"
#include "ollama_request.h"
#include "ollama_runner.h"
#include "service.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

constexpr const char* busy_text =
    "server busy, please try again.  maximum pending requests exceeded";

std::string sha256(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

std::string full_name(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return name.find(':', slash == std::string::npos ? 0 : slash) == std::string::npos
             ? name + ":latest"
             : name;
}

// Loopback, private addresses and local names; all others get a bare 403.
bool host_is_local(const Request& r) {
  const std::string* header = r.header("host");
  if (header == nullptr || header->empty()) return true;
  std::string host = *header;
  if (host.front() == '[') return host.rfind("[::1]", 0) == 0;
  host = host.substr(0, host.find(':'));
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const auto ends = [&host](std::string_view tail) {
    return host.size() >= tail.size() &&
           host.compare(host.size() - tail.size(), tail.size(), tail) == 0;
  };
  if (host == "localhost" || ends(".localhost") || ends(".local") || ends(".internal")) return true;
  return host.rfind("127.", 0) == 0 || host.rfind("10.", 0) == 0 || host.rfind("192.168.", 0) == 0;
}

// "0.12.6" <= version?
bool at_least(const std::string& version, int major, int minor, int patch) {
  int a = 0, b = 0, c = 0;
  std::sscanf(version.c_str(), "%d.%d.%d", &a, &b, &c);
  return std::tie(a, b, c) >= std::tie(major, minor, patch);
}

class Ollama final : public Service {
 public:
  explicit Ollama(World world) : world_(world), runners_(world) {}

  std::string route(const Request& r) const override {
    const bool get = r.method == "GET" || r.method == "HEAD", post = r.method == "POST";
    const std::string& p = r.path;
    if (p == "/" && get) return "root";
    if (p == "/api/version" && get) return "version";
    if (p == "/api/tags" && get) return "tags";
    if (p == "/api/ps" && r.method == "GET") return "ps";
    if (p == "/api/show" && post) return "show";
    if (p == "/api/chat" && post) return "chat";
    if (p == "/api/generate" && post) return "generate";
    if (p == "/api/pull" && post) return "pull";
    if (p == "/v1/chat/completions" && post) return "v1_chat";
    if (p == "/v1/models" && get) return "v1_models";
    return "";
  }

  void recover() override {
    missing_ = false;
    generation_ = 0;
  }
  void handle(ExchangePtr exchange, const std::string& route, const Strike& strike) override {
    const Request& r = exchange->request();
    if (!host_is_local(r)) return exchange->send(bare(403, ""));
    if (strike.is("model_missing")) missing_ = true;
    if (strike.is("digest_changed")) ++generation_;
    if (route == "root") return exchange->send(bare(200, "Ollama is running"));
    if (route == "version")
      return exchange->send(json_reply({{"version", world_.settings.version}}));
    if (route == "tags") return exchange->send(tags());
    if (route == "ps") return exchange->send(ps());
    if (route == "v1_models") return exchange->send(v1_models());
    if (route.empty()) return exchange->send(no_such_route(r));
    const Json body = Json::parse(r.body, nullptr, false);
    if (r.body.empty()) return exchange->send(error(route, 400, "missing request body"));
    if (body.is_discarded() || !body.is_object()) {
      return exchange->send(error(route, 400, "invalid character in request body"));
    }
    if (route == "show") return exchange->send(show(body));
    if (route == "pull") return exchange->send(pull(body));
    if (route == "v1_chat") return v1_chat(exchange, body, strike);
    native(exchange, body, route, strike);
  }

  Reply error(const std::string& route, int status, const std::string& text) const override {
    if (route.rfind("v1_", 0) == 0) {
      const char* type = status == 400   ? "invalid_request_error"
                         : status == 404 ? "not_found_error"
                                         : "api_error";
      return json_reply(
          {{"error", {{"message", text}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}},
          status);
    }
    return json_reply({{"error", text}}, status);
  }

 private:
  static Reply bare(int status, const std::string& text) {
    Reply reply;
    reply.status = status;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = text;
    return reply;
  }

  static Reply no_such_route(const Request& r) {
    for (const char* known : {"/api/version", "/api/tags", "/api/ps", "/api/show", "/api/chat",
                              "/api/generate", "/api/pull", "/v1/chat/completions"}) {
      if (r.path == known) return bare(405, "405 method not allowed");
    }
    return bare(404, "404 page not found");
  }

  bool knows(const std::string& name) const {
    if (missing_) return false;
    for (const std::string& model : world_.settings.models) {
      if (full_name(model) == full_name(name)) return true;
    }
    return false;
  }

  std::string digest(const std::string& name) const {
    return sha256("manifest of " + name + " " + std::to_string(generation_));
  }

  Json details() const {
    return {{"parent_model", ""},
            {"format", "gguf"},
            {"family", "emulated"},
            {"families", {"emulated"}},
            {"parameter_size", "1.0M"},
            {"quantization_level", "Q8_0"},
            {"context_length", world_.settings.context},
            {"embedding_length", 64}};
  }

  Json capabilities() const {
    Json out = {"completion"};
    if (world_.settings.thinking) out.push_back("thinking");
    return out;
  }

  Reply tags() const {
    Json models = Json::array();
    for (const std::string& model : world_.settings.models) {
      const std::string name = missing_ ? "another:latest" : full_name(model);
      models.push_back({{"name", name},
                        {"model", name},
                        {"modified_at", "2026-01-02T03:04:05.6Z"},
                        {"size", 1000000},
                        {"digest", digest(name)},
                        {"details", details()},
                        {"capabilities", capabilities()}});
    }
    return json_reply({{"models", models}});
  }

  Reply ps() {
    Json models = Json::array();
    for (const LoadedModel& m : runners_.loaded()) {
      models.push_back({{"name", m.name},
                        {"model", m.name},
                        {"size", 2000000},
                        {"digest", digest(m.name)},
                        {"details", details()},
                        {"expires_at", rfc3339(m.expires_in_s < 0 ? 3e9 : m.expires_in_s)},
                        {"size_vram", 2000000},
                        {"context_length", m.num_ctx}});
    }
    return json_reply({{"models", models}});
  }

  Reply show(const Json& body) const {
    const std::string name = body.value("model", body.value("name", ""));
    if (name.empty()) return error("", 400, "model is required");
    if (!knows(name)) return error("", 404, "model '" + name + "' not found");
    return json_reply({{"license", ""},
                       {"modelfile", "FROM emulated"},
                       {"parameters", ""},
                       {"template", "{{ .Prompt }}"},
                       {"details", details()},
                       {"model_info",
                        {{"general.architecture", "emulated"},
                         {"general.parameter_count", 1000000},
                         {"emulated.context_length", world_.settings.context},
                         {"emulated.block_count", 2}}},
                       {"capabilities", capabilities()},
                       {"modified_at", "2026-01-02T03:04:05.6Z"}});
  }

  Reply pull(const Json& body) const {
    const std::string name = body.value("model", body.value("name", ""));
    if (!knows(name)) return error("", 500, "pull model manifest: file does not exist");
    if (!body.value("stream", true)) return json_reply({{"status", "success"}});
    Reply reply = ndjson();
    const std::string layer = "sha256:" + digest(name);
    reply.chunks = {Json{{"status", "pulling manifest"}}.dump() + "\n",
                    Json{{"status", "pulling " + layer.substr(7, 12)},
                         {"digest", layer},
                         {"total", 1000000},
                         {"completed", 1000000}}
                            .dump() +
                        "\n",
                    Json{{"status", "verifying sha256 digest"}}.dump() + "\n",
                    Json{{"status", "writing manifest"}}.dump() + "\n",
                    Json{{"status", "success"}}.dump() + "\n"};
    return reply;
  }

  // Before 0.12.6 an error that came before the first piece of a stream had status 200.
  Reply chat_error(const OllamaRequest& r, int status, const std::string& text) const {
    if (!r.stream || status == 400 || status == 404 ||
        at_least(world_.settings.version, 0, 12, 6)) {
      return error("", status, text);
    }
    Reply reply = ndjson();
    reply.chunks.push_back(Json{{"error", text}}.dump() + "\n");
    return reply;
  }

  std::optional<Reply> struck(const OllamaRequest& r, const Strike& strike) {
    if (!strike) return std::nullopt;
    if (strike.is("queue_full")) return error("", 503, busy_text);
    if (strike.is("runner_stopped")) {
      return chat_error(r, 500,
                        "model runner has unexpectedly stopped, this may be due to resource "
                        "limitations or an internal error, check ollama server logs for details");
    }
    if (strike.is("load_timeout")) {
      return chat_error(r, 500, "timed out waiting for llama-server to start - progress 0.00 - ");
    }
    if (strike.is("out_of_memory")) {
      return chat_error(r, 500,
                        "llama-server reported out-of-memory during startup: cudaMalloc failed: "
                        "out of memory");
    }
    if (strike.is("context_exceeded")) return too_long();
    if (strike.is("evicted")) runners_.unload(full_name(r.name));
    return std::nullopt;
  }

  Reply too_long() const {
    return error("", 400,
                 "the prompt is longer than the context length currently available to the model; "
                 "reduce the prompt or raise num_ctx");
  }

  void native(const ExchangePtr& exchange, const Json& body, const std::string& route,
              const Strike& strike) {
    OllamaRequest r;
    const auto refusal =
        read_ollama(body, route == "chat", world_.settings.num_ctx, world_.settings.context, r);
    if (refusal && refusal->status == 400) {
      return exchange->send(error(route, refusal->status, refusal->text));
    }
    if (r.is_chat && r.name.empty()) return exchange->send(error(route, 400, "model is required"));
    if (!knows(r.name) || strike.is("model_deleted")) {
      return exchange->send(error(route, 404, "model '" + r.name + "' not found"));
    }
    if (refusal) return exchange->send(chat_error(r, refusal->status, refusal->text));
    if (r.think.value_or(false) && !world_.settings.thinking) {
      return exchange->send(error(route, 400, "\"" + r.name + "\" does not support thinking"));
    }
    r.question.model = full_name(r.name);
    if (auto reply = struck(r, strike)) return exchange->send(std::move(*reply));
    if (r.empty) return load_or_unload(exchange, r);
    answer(exchange, std::move(r), strike);
  }

  void load_or_unload(const ExchangePtr& exchange, const OllamaRequest& r) {
    const auto reply = [r](const char* reason) {
      Json out = {
          {"model", r.name}, {"created_at", rfc3339()}, {"done", true}, {"done_reason", reason}};
      if (r.is_chat)
        out["message"] = {{"role", "assistant"}, {"content", ""}};
      else
        out["response"] = "";
      return json_reply(out);
    };
    if (r.keep_alive_s == 0) {
      runners_.unload(full_name(r.name));
      return exchange->send(reply("unload"));
    }
    const bool room = runners_.load(full_name(r.name), r.runner_key, r.num_ctx, r.keep_alive_s,
                                    exchange, [exchange, reply] { exchange->send(reply("load")); });
    if (!room) exchange->send(error("", 503, busy_text));
  }

  // What Ollama does to a prompt that does not fit: drops old messages, then the middle of the
  // rest. Returns false when it refuses instead.
  bool fit(OllamaRequest& r, Answer& answer) {
    if (answer.prompt_tokens < r.num_ctx) return true;
    const bool modern = at_least(world_.settings.version, 0, 12, 4);
    const bool truncate = r.truncate || !modern, shift = r.shift || !modern;
    if (truncate && r.is_chat) {
      auto& messages = r.question.messages;
      while (answer.prompt_tokens >= r.num_ctx) {
        const auto old = std::find_if(messages.begin(), messages.end(),
                                      [](const Message& m) { return m.role != "system"; });
        if (old == messages.end() || old + 1 == messages.end()) break;
        messages.erase(old);
        answer = world_.answers.answer(r.question);
      }
      if (answer.prompt_tokens < r.num_ctx) {
        world_.counts.add("truncated_prompts");
        return true;
      }
    }
    if (!shift) return false;
    world_.counts.add("truncated_prompts");
    auto cut = r.question;
    if (cut.prompt)
      cut.prompt = first_words(*cut.prompt, r.num_ctx / 2);
    else
      cut.messages.back().content = first_words(cut.messages.back().content, r.num_ctx / 2);
    answer = world_.answers.answer(cut);
    answer.prompt_tokens = r.num_ctx;
    return true;
  }

  void answer(const ExchangePtr& exchange, OllamaRequest r, const Strike& strike) {
    const std::uint64_t hash = r.question.hash();
    Answer answer = world_.answers.answer(r.question);
    if (strike.is("silent_truncation")) {
      answer.prompt_tokens = std::max<std::int64_t>(answer.prompt_tokens / 2, 1);
      world_.counts.add("truncated_prompts");
    } else if (!fit(r, answer)) {
      return exchange->send(too_long());
    }
    // A full window ends the generation where it may not shift.
    const std::int64_t room = r.num_ctx - answer.prompt_tokens;
    if (!r.shift && answer.completion_tokens > room) {
      answer.text = first_words(answer.text, room);
      answer.completion_tokens = words_in(answer.text);
      answer.finish_reason = "length";
    }
    if (!world_.counts.admit()) return exchange->send(error("", 503, busy_text));
    const auto begin = Counts::Clock::now();
    const bool room_in_queue = runners_.serve(
        r.question.model, r.runner_key, r.num_ctx, r.keep_alive_s, exchange,
        [this, exchange, r, answer, strike, hash, begin] {
          world_.counts.generation(hash);
          exchange->send(ollama_reply(r, answer, world_.settings.thinking, strike, begin));
          if (r.keep_alive_s == 0) runners_.unload(r.question.model);
        });
    if (!room_in_queue) exchange->send(error("", 503, busy_text));
  }

  Reply v1_models() const {
    Json data = Json::array();
    for (const std::string& model : world_.settings.models) {
      if (missing_) break;
      data.push_back({{"id", full_name(model)},
                      {"object", "model"},
                      {"created", 1767225600},
                      {"owned_by", "library"}});
    }
    return json_reply({{"object", "list"}, {"data", data}});
  }

  void v1_chat(const ExchangePtr& exchange, Json body, const Strike& strike) {
    ChatRequest request;
    body.erase("n");                      // ignored by Ollama, as is
    body.erase("max_completion_tokens");  // this one
    if (auto refusal = read_chat(body, request)) {
      return exchange->send(error("v1_chat", refusal->status, refusal->message));
    }
    if (!knows(request.question.model)) {
      return exchange->send(
          error("v1_chat", 404, "model '" + request.question.model + "' not found"));
    }
    if (!world_.counts.admit()) return exchange->send(error("v1_chat", 503, busy_text));
    if (!request.question.temperature) request.question.temperature = 1.0;
    const std::string name = request.question.model;
    request.question.model = full_name(name);
    const std::int64_t ctx = world_.settings.num_ctx;
    const bool room = runners_.serve(
        request.question.model, std::to_string(ctx), ctx, 300, exchange,
        [this, exchange, request, name, strike] {
          world_.counts.generation(request.question.hash());
          const Answer answer = world_.answers.answer(request.question);
          exchange->send(completion_reply(request, answer, {name, "fp_ollama", false}, strike));
        });
    if (!room) exchange->send(error("v1_chat", 503, busy_text));
  }

  World world_;
  Runners runners_;
  bool missing_ = false;
  int generation_ = 0;  // of every model's manifest
};

}  // namespace

std::unique_ptr<Service> make_ollama(World world) { return std::make_unique<Ollama>(world); }

}  // namespace promptsweep::emulator
