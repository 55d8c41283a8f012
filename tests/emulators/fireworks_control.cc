// SPDX-License-Identifier: Apache-2.0
// Fireworks: which request goes where, keys, and the realtime chat endpoint.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat.h"
#include "fireworks_datasets.h"
#include "fireworks_jobs.h"
#include "fireworks_storage.h"
#include "service.h"

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

// /v1/accounts/ACCOUNT/COLLECTION[/ID[:VERB]]
struct Resource {
  std::string account, collection, id, verb;
};

bool read_resource(const std::string& path, Resource& out) {
  constexpr std::string_view prefix = "/v1/accounts/";
  if (path.rfind(prefix, 0) != 0) return false;
  const std::string rest = path.substr(prefix.size());
  const std::size_t first = rest.find('/');
  if (first == std::string::npos) return false;
  out.account = rest.substr(0, first);
  const std::size_t second = rest.find('/', first + 1);
  out.collection =
      rest.substr(first + 1, second == std::string::npos ? second : second - first - 1);
  if (second == std::string::npos) return true;
  const std::string last = rest.substr(second + 1);
  const std::size_t colon = last.find(':');
  out.id = last.substr(0, colon);
  if (colon != std::string::npos) out.verb = last.substr(colon + 1);
  return !out.id.empty() && out.id.find('/') == std::string::npos;
}

std::string dataset_route(const Resource& r, const std::string& method) {
  if (r.id.empty())
    return method == "POST" ? "dataset_create" : method == "GET" ? "dataset_list" : "";
  if (r.verb.empty()) {
    return method == "GET" ? "dataset_get" : method == "DELETE" ? "dataset_delete" : "";
  }
  if (r.verb == "getDownloadEndpoint") {
    return method == "GET" ? "dataset_download_endpoint" : "method_not_allowed";
  }
  if (method != "POST") return "method_not_allowed";
  return r.verb == "upload"              ? "dataset_upload"
         : r.verb == "getUploadEndpoint" ? "dataset_upload_endpoint"
         : r.verb == "validateUpload"    ? "dataset_validate"
                                         : "";
}

std::string job_route(const Resource& r, const std::string& method) {
  if (!r.verb.empty()) return "";
  if (r.id.empty()) return method == "POST" ? "job_create" : method == "GET" ? "job_list" : "";
  return method == "GET" ? "job_get" : method == "DELETE" ? "job_delete" : "";
}

class Fireworks final : public Service {
 public:
  explicit Fireworks(World world)
      : world_(world),
        storage_(world),
        datasets_(world, storage_),
        jobs_(world, datasets_),
        slots_(world, world.settings.parallel) {}

  bool wants_storage_port() const override { return true; }
  void storage_port_is(std::uint16_t port) override { storage_.set_port(port); }

  std::string route(const Request& r) const override {
    if (r.port == storage_.port()) return Storage::route(r);
    if (r.path == "/inference/v1/chat/completions")
      return r.method == "POST" ? "chat" : "method_not_allowed";
    if (r.path == "/inference/v1/models" && r.method == "GET") return "models";
    Resource resource;
    if (!read_resource(r.path, resource)) return "";
    if (resource.collection == "datasets") return dataset_route(resource, r.method);
    if (resource.collection == "batchInferenceJobs") return job_route(resource, r.method);
    if (resource.collection == "models" && r.method == "GET" && !resource.id.empty())
      return "model_get";
    return "";
  }

  void recover() override { missing_ = changed_ = false; }
  void handle(ExchangePtr exchange, const std::string& route, const Strike& strike) override {
    const Request& r = exchange->request();
    if (r.port == storage_.port()) return exchange->send(storage_.handle(r, route, strike));
    if (!authorised(r) || strike.is("wrong_key") || strike.is("key_revoked") ||
        strike.is("key_revoked_polling")) {
      return exchange->send(unauthorised());
    }
    if (strike.is("model_missing")) missing_ = true;
    if (route == "chat") return chat(exchange, strike);
    if (route == "models") return exchange->send(models());
    if (route.empty() || route == "method_not_allowed") return exchange->send(nothing(route));
    Resource at;
    read_resource(r.path, at);
    if (!account_is_legal(at.account)) return exchange->send(grpc_error(400, "invalid account id"));
    if (route == "model_get")
      return exchange->send(model("accounts/" + at.account + "/models/" + at.id));
    if (route == "job_create" && missing_) return exchange->send(grpc_error(404, model_text));
    exchange->send(at.collection == "datasets"
                       ? datasets_.handle(route, r, at.account, at.id, strike)
                       : jobs_.handle(route, r, at.account, at.id, strike));
  }

  Reply error(const std::string& route, int status, const std::string& text) const override {
    if (route.rfind("storage_", 0) == 0) return xml_error(status, "InternalError", text);
    if (route != "chat" && route != "models") return grpc_error(status, text);
    const char* type = status < 500 ? "invalid_request_error" : "internal_server_error";
    if (status == 429) {
      return json_reply({{"object", "error"}, {"type", type}, {"code", type}, {"message", text}},
                        429);
    }
    return json_reply(
        {{"error", {{"object", "error"}, {"type", type}, {"code", type}, {"message", text}}}},
        status);
  }

 private:
  static constexpr const char* model_text = "Model not found, inaccessible, and/or not deployed";

  static bool account_is_legal(const std::string& account) {  // a slug, no e-mail address
    return std::all_of(account.begin(), account.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
  }

  bool authorised(const Request& r) const {
    const std::string* value = r.header("authorization");
    if (!value || value->rfind("Bearer ", 0) != 0) return false;
    return world_.settings.key.empty() || *value == "Bearer " + world_.settings.key;
  }

  static Reply unauthorised() {
    return json_reply({{"error",
                        {{"message", "The API key you provided is invalid."},
                         {"param", nullptr},
                         {"code", "UNAUTHORIZED"},
                         {"type", "error"}}},
                       {"request_id", "emulated"}},
                      403);
  }

  static Reply nothing(const std::string& route) {
    Reply reply;
    reply.status = route.empty() ? 404 : 405;
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = route.empty() ? "Not Found" : "Method Not Allowed";
    return reply;
  }

  bool knows(const std::string& name) const {
    const auto& models = world_.settings.models;
    return !missing_ && std::any_of(models.begin(), models.end(), [&](const std::string& model) {
      return name == model || name == "accounts/fireworks/models/" + model;
    });
  }

  Reply models() const {
    Json data = Json::array();
    for (const std::string& name : world_.settings.models) {
      if (!missing_)
        data.push_back({{"id", name},
                        {"object", "model"},
                        {"owned_by", "fireworks"},
                        {"context_length", world_.settings.context}});
    }
    return json_reply({{"object", "list"}, {"data", data}});
  }

  Reply model(const std::string& name) const {
    if (!knows(name)) return grpc_error(404, model_text);
    return json_reply({{"name", name},
                       {"displayName", last_segment(name)},
                       {"state", "READY"},
                       {"contextLength", world_.settings.context}});
  }

  std::optional<Reply> struck(const Strike& strike) const {
    if (strike.is("string_error")) return json_reply("internal server error", 500);
    if (strike.is("context_exceeded")) return error("chat", 400, too_long_text);
    return std::nullopt;
  }

  void chat(const ExchangePtr& exchange, const Strike& strike) {
    const Json body = Json::parse(exchange->request().body, nullptr, false);
    if (body.is_discarded()) return exchange->send(error("chat", 400, "the body is no JSON"));
    ChatRequest request;
    if (auto refusal = read_chat(body, request)) {
      return exchange->send(error("chat", 400, refusal->message));
    }
    if (body.contains("max_tokens") && body.contains("max_completion_tokens")) {
      return exchange->send(error("chat", 400, "max_tokens and max_completion_tokens are aliases"));
    }
    if (request.top_logprobs > 5)
      return exchange->send(error("chat", 400, "top_logprobs must be at most 5"));
    if (!knows(request.question.model) || strike.is("model_deleted")) {
      return exchange->send(error("chat", 404, model_text));
    }
    if (auto reply = struck(strike)) return exchange->send(std::move(*reply));
    const Answer answer = world_.answers.answer(request.question);
    const std::int64_t context = world_.settings.context;
    const bool strict = body.value("context_length_exceeded_behavior", Json("truncate")) == "error";
    const std::int64_t wanted = answer.prompt_tokens + request.question.max_tokens.value_or(0);
    if (answer.prompt_tokens >= context || (strict && wanted > context)) {
      return exchange->send(error("chat", 400, too_long_text));
    }
    if (strike.is("model_changed")) changed_ = true;
    if (!world_.counts.admit()) {
      return exchange->send(error("chat", 429, "rate limit exceeded, please try again later"));
    }
    slots_.serve(exchange, [this, exchange, request, answer, strike] {
      world_.counts.generation(request.question.hash());
      CompletionStyle style;
      style.model = request.question.model + (changed_ ? "-changed" : "");
      Reply reply = completion_reply(request, answer, style, strike);
      reply.headers = {{"x-ratelimit-limit-requests", "6000"},
                       {"x-ratelimit-remaining-requests", "5999"},
                       {"x-ratelimit-over-limit", "no"},
                       {"fireworks-prompt-tokens", std::to_string(answer.prompt_tokens)},
                       {"fireworks-cached-prompt-tokens", "0"}};
      exchange->send(std::move(reply));
    });
  }

  static constexpr const char* too_long_text =
      "The prompt and max_tokens are longer than the model's maximum context length";

  World world_;
  Storage storage_;
  Datasets datasets_;
  Jobs jobs_;
  Slots slots_;
  bool missing_ = false, changed_ = false;
};

}  // namespace

std::unique_ptr<Service> make_fireworks(World world) { return std::make_unique<Fireworks>(world); }

}  // namespace promptsweep::emulator
