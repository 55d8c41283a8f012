// SPDX-License-Identifier: Apache-2.0
// Chat completions as llama-server, vLLM and OpenAI serve them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat.h"
#include "service.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

const char* type_of(const std::string& dialect, int status) {
  if (dialect == "vllm") {
    return status == 404  ? "NotFoundError"
           : status < 500 ? "BadRequestError"
                          : "InternalServerError";
  }
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return dialect == "openai" ? "invalid_request_error" : "not_found_error";
    case 429:
      return dialect == "openai" ? "requests" : "rate_limit_error";
    case 501:
      return "not_supported_error";
    case 503:
      return "unavailable_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

const char* code_of(int status) {
  switch (status) {
    case 401:
      return "invalid_api_key";
    case 404:
      return "model_not_found";
    case 429:
      return "rate_limit_exceeded";
    default:
      return nullptr;
  }
}

class OpenAi final : public Service {
 public:
  explicit OpenAi(World world)
      : world_(world), slots_(world, world.settings.parallel), started_(Counts::Clock::now()) {}

  std::string route(const Request& r) const override {
    const bool get = r.method == "GET" || r.method == "HEAD";
    if (r.method == "POST" && r.path == "/v1/chat/completions") return "chat";
    if (get && r.path == "/v1/models") return "models";
    if (get && r.path.rfind("/v1/models/", 0) == 0) return "models";
    if (get && (r.path == "/health" || r.path == "/v1/health"))
      return dialect() == "openai" ? "" : "health";
    if (get && r.path == "/props") return dialect() == "llama" ? "props" : "";
    if (get && r.path == "/version") return dialect() == "vllm" ? "version" : "";
    return "";
  }

  void recover() override { missing_ = changed_ = false; }
  void handle(ExchangePtr exchange, const std::string& route, const Strike& strike) override {
    if (strike.is("model_missing")) missing_ = true;
    if (route == "health") return exchange->send(health());
    if (!authorised(exchange->request()) || strike.is("wrong_key") || strike.is("key_revoked")) {
      return exchange->send(unauthorised());
    }
    if (route == "models") return exchange->send(models(exchange->request().path));
    if (route == "props") return exchange->send(loading() ? health() : props());
    if (route == "version") return exchange->send(json_reply({{"version", "0.11.0"}}));
    if (route == "chat") return chat(exchange, strike);
    exchange->send(error(route, 404, dialect() == "llama" ? "File Not Found" : "Not Found"));
  }

  Reply error(const std::string&, int status, const std::string& text) const override {
    return refusal(
        {status, text, type_of(dialect(), status), code_of(status) ? code_of(status) : "", ""});
  }

 private:
  const std::string& dialect() const { return world_.settings.dialect; }

  bool loading() const {
    return Counts::Clock::now() - started_ < Milliseconds(world_.settings.loading_ms);
  }

  Reply refusal(const Refusal& r) const {
    Json error = {{"message", r.message}, {"type", r.type}};
    if (dialect() == "openai") {
      error["param"] = r.param.empty() ? Json() : Json(r.param);
      error["code"] = r.code.empty() ? Json() : Json(r.code);
    } else {
      error["code"] = r.status;  // the status as a number
      if (dialect() == "vllm") error["param"] = r.param.empty() ? Json() : Json(r.param);
    }
    return json_reply({{"error", error}}, r.status);
  }

  bool authorised(const Request& r) const {
    const std::string* value = r.header("authorization");
    return world_.settings.key.empty() || (value && *value == "Bearer " + world_.settings.key);
  }

  Reply unauthorised() const {
    if (dialect() == "vllm") return json_reply({{"error", "Unauthorized"}}, 401);
    return error("", 401, dialect() == "llama" ? "Invalid API Key" : "Incorrect API key provided.");
  }

  Reply health() const {
    if (loading()) return error("", 503, "Loading model");
    if (dialect() == "llama") return json_reply({{"status", "ok"}});
    Reply reply;
    reply.content_type.clear();
    return reply;
  }

  Reply props() const {
    const std::size_t slots = world_.settings.parallel ? world_.settings.parallel : 4;
    return json_reply({{"default_generation_settings",
                        {{"n_ctx", world_.settings.num_ctx},
                         {"params", {{"temperature", 0.8}, {"top_k", 40}, {"top_p", 0.95}}}}},
                       {"total_slots", slots},
                       {"model_path", world_.settings.models.front()},
                       {"chat_template", "{{ messages }}"},
                       {"modalities", {{"vision", false}, {"audio", false}}},
                       {"build_info", "b0-emulated"},
                       {"is_sleeping", false}});
  }

  bool knows(const std::string& model) const {
    const auto& models = world_.settings.models;
    return !missing_ && std::find(models.begin(), models.end(), model) != models.end();
  }

  Json model_json(const std::string& name) const {
    Json model = {
        {"id", name}, {"object", "model"}, {"created", 1767225600}, {"owned_by", "emulator"}};
    if (dialect() == "llama") {
      model["meta"] = {{"n_ctx_train", world_.settings.context},
                       {"n_params", 1000000},
                       {"size", 2000000},
                       {"n_vocab", 32000},
                       {"n_embd", 64}};
    }
    if (dialect() == "vllm") model["max_model_len"] = world_.settings.num_ctx;
    return model;
  }

  Reply models(const std::string& path) const {
    if (loading()) return health();
    if (path != "/v1/models") {
      const std::string name = percent_decoded(path.substr(std::string("/v1/models/").size()));
      return knows(name) ? json_reply(model_json(name)) : not_found(name);
    }
    Json data = Json::array();
    if (missing_) {
      data.push_back(model_json("another"));
    } else {
      for (const std::string& name : world_.settings.models) data.push_back(model_json(name));
    }
    return json_reply({{"object", "list"}, {"data", data}});
  }

  Reply not_found(const std::string& model) const {
    return error("", 404,
                 dialect() == "openai"
                     ? "The model `" + model + "` does not exist or you do not have access to it."
                 : dialect() == "vllm" ? "The model `" + model + "` does not exist."
                                       : "model '" + model + "' not found");
  }

  // Faults of the chat route that are told in the service's own words.
  std::optional<Reply> struck(const Strike& strike, const Answer& answer) const {
    if (!strike) return std::nullopt;
    if (strike.is("loading")) return error("", 503, "Loading model");
    if (strike.is("not_supported")) return error("", 501, "This server does not support that.");
    if (strike.is("context_exceeded")) return too_long(answer);
    if (strike.is("string_error")) return json_reply("internal server error", 500);
    if (strike.is("flat_error")) {
      return json_reply({{"object", "error"},
                         {"message", "internal server error"},
                         {"type", "InternalServerError"},
                         {"param", nullptr},
                         {"code", 500}},
                        500);
    }
    if (strike.is("insufficient_quota")) {
      return json_reply({{"error",
                          {{"message", "You exceeded your current quota, please check your plan."},
                           {"type", "insufficient_quota"},
                           {"param", nullptr},
                           {"code", "insufficient_quota"}}}},
                        429);
    }
    return std::nullopt;
  }

  Reply too_long(const Answer& answer) const {
    const std::string tokens = std::to_string(answer.prompt_tokens);
    const std::string room = std::to_string(world_.settings.num_ctx);
    if (dialect() == "llama") {
      return json_reply(
          {{"error",
            {{"code", 400},
             {"message", "request (" + tokens + " tokens) exceeds the available context size (" +
                             room + " tokens), try increasing it"},
             {"type", "exceed_context_size_error"},
             {"n_prompt_tokens", answer.prompt_tokens},
             {"n_ctx", world_.settings.num_ctx}}}},
          400);
    }
    return refusal({400,
                    "This model's maximum context length is " + room +
                        " tokens. However, you requested " + tokens + " tokens in the messages.",
                    type_of(dialect(), 400), "context_length_exceeded", "messages"});
  }

  void chat(const ExchangePtr& exchange, const Strike& strike) {
    if (loading()) return exchange->send(health());
    const Json body = Json::parse(exchange->request().body, nullptr, false);
    if (body.is_discarded()) return exchange->send(error("", 400, "the body is no JSON"));
    ChatRequest request;
    if (auto r = read_chat(body, request)) {
      r->type = type_of(dialect(), 400);
      return exchange->send(refusal(*r));
    }
    if (!knows(request.question.model) || strike.is("model_deleted")) {
      return exchange->send(not_found(request.question.model));
    }
    const Answer answer = world_.answers.answer(request.question);
    if (auto reply = struck(strike, answer)) return exchange->send(std::move(*reply));
    if (answer.prompt_tokens >= world_.settings.num_ctx) return exchange->send(too_long(answer));
    if (strike.is("model_changed")) changed_ = true;
    if (!world_.counts.admit()) {
      return exchange->send(error("", 429, "rate limit exceeded, please try again later"));
    }
    slots_.serve(exchange, [this, exchange, request, answer, strike] {
      world_.counts.generation(request.question.hash());
      Reply reply = completion_reply(request, answer, style(request), strike);
      if (dialect() == "openai") add_limits(reply);
      exchange->send(std::move(reply));
    });
  }

  CompletionStyle style(const ChatRequest& request) const {
    CompletionStyle style;
    style.model = request.question.model + (changed_ ? "-changed" : "");
    style.fingerprint = dialect() == "vllm" ? "" : changed_ ? "fp_changed" : "b0-emulated";
    style.timings = dialect() == "llama";
    return style;
  }

  void add_limits(Reply& reply) const {
    reply.headers.insert(reply.headers.end(), {{"x-request-id", "req_emulated"},
                                               {"x-ratelimit-limit-requests", "100000"},
                                               {"x-ratelimit-remaining-requests", "99999"},
                                               {"x-ratelimit-reset-requests", "12ms"},
                                               {"x-ratelimit-limit-tokens", "10000000"},
                                               {"x-ratelimit-remaining-tokens", "9999000"},
                                               {"x-ratelimit-reset-tokens", "6m0s"}});
  }

  World world_;
  Slots slots_;
  Counts::Clock::time_point started_;
  bool missing_ = false, changed_ = false;
};

}  // namespace

std::unique_ptr<Service> make_openai(World world) { return std::make_unique<OpenAi>(world); }

}  // namespace promptsweep::emulator
