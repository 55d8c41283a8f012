// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <promptsweep/http/error_body.h>
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/http/retry.h>
#include <promptsweep/options.h>
#include <promptsweep/sha256.h>

#include <nlohmann/json.hpp>

namespace openai {

using psw::http::Failure;
using psw::http::Reply;
using psw::http::Request;
using psw::http::Verdict;

namespace {

constexpr psw::http::Milliseconds short_deadline{30'000};
constexpr std::uint32_t usual_attempts = 4;
constexpr std::uint32_t attempts_while_loading = 1500;  // one a second

bool is_loading(const Reply& reply) {
  if (reply.status != 503) return false;
  const std::string said = psw::http::parse_error_body(reply.body).message;
  return said.find("oading") != std::string::npos;
}

bool is_json(const std::string& body) {
  return !nlohmann::json::parse(body, nullptr, false).is_discarded();
}

Verdict judge_look(const Reply& reply) {
  Verdict verdict = psw::http::judge_by_status(reply, true);
  if (is_loading(reply)) {
    verdict.after = psw::http::Milliseconds(1000);
    return verdict;
  }
  // Who waits for a server that is not there wants to hear of it soon.
  if (reply.failure == Failure::connect || reply.failure == Failure::resolve)
    verdict.after = psw::http::Milliseconds(200);
  if (reply.good() && !is_json(reply.body)) verdict.kind = Verdict::again;
  if (reply.attempts >= usual_attempts) verdict.kind = Verdict::done;
  return verdict;
}

// Without the port, which changes when a server is started again.
std::string host_of(const std::string& url) {
  if (psw::lines::is_loopback(url)) return "loopback";
  const std::size_t host = url.find("://") + 3;
  const std::size_t end = std::min(url.find('/', host), url.size());
  const std::size_t colon = url.rfind(':', end);
  const bool has_port = colon != std::string::npos && colon >= host && url.find(']', colon) >= end;
  return url.substr(host, (has_port ? colon : end) - host);
}

psw::http::ChatDialect dialect_named(const std::string& name, bool cache_prompt) {
  if (name == "openai") return psw::http::openai_dialect();
  if (name == "llama_server") return psw::http::llama_server_dialect(cache_prompt);
  if (name == "vllm") return psw::http::vllm_dialect();
  if (name == "lm_studio") return psw::http::lm_studio_dialect();
  return psw::http::generic_dialect();
}

}  // namespace

Server::Server(const psw::Host& host, const Options& options, psw::http::Client& client)
    : host_(host), options_(options), client_(client) {
  if (!options_.api_key.empty()) warn_of_plain_http();
  const Seen seen = look([this] { return host_.should_stop(); });
  dialect_ = seen.dialect;
  identity_ = seen.identity;
  context_ = seen.context;
  if (seen.slots && *seen.slots < options_.max_concurrent_requests) {
    host_.log(PSW_LOG_INFO, "the server works on " + std::to_string(*seen.slots) +
                                " requests at once; the others wait there");
  }
  writer_ = std::make_unique<psw::http::ChatWriter>(dialect_named(dialect_, options_.cache_prompt),
                                                    options_.model, options_.extra_body,
                                                    options_.logprobs);
}

void Server::warn_of_plain_http() const {
  const bool plain = options_.api_url.starts_with("http://");
  if (plain && !psw::lines::is_loopback(options_.api_url)) {
    host_.log(PSW_LOG_WARN, "the key " + options_.api_key + " goes to " + options_.api_url +
                                " without encryption: everybody on the way can read it");
  }
}

Request Server::get(const std::string& url) const {
  Request request;
  request.url = url;
  request.secret = options_.api_key;
  request.deadline =
      std::min<psw::http::Milliseconds>(short_deadline, std::chrono::seconds(options_.timeout_s));
  request.paced = false;  // a look at the server is not work for its model
  request.max_attempts = attempts_while_loading;
  request.judge = judge_look;
  return request;
}

// The end of create's way: each failure with what helps.
psw::Error Server::explain(const Reply& reply, const std::string& url) const {
  psw::Error error = psw::http::to_error("GET " + url, reply);
  const bool refused = reply.status == 401 || reply.status == 403;
  if (reply.failure == Failure::connect || reply.failure == Failure::resolve) {
    error.text = "no server answers at " + options_.root_url + ": start it, or set base_url (" +
                 reply.failure_text + ")";
  } else if (refused && options_.api_key.empty()) {
    error.text = "the server at " + options_.root_url +
                 " wants a key: set api_key to the name of the secret that holds it";
  } else if (refused) {
    error.text = "the server at " + options_.root_url + " refuses the key in " + options_.api_key +
                 " (status " + std::to_string(reply.status) + ")";
  } else if (reply.arrived() && (reply.status == 404 || reply.status == 405)) {
    error.code = PSW_E_CONFIG;
    error.text = "/base_url: nothing at " + options_.api_url +
                 " lists models; set base_url to where /chat/completions hangs, which mostly "
                 "ends in /v1";
  }
  return error;
}

std::vector<ListedModel> Server::list_models(const Stop& should_stop) {
  const std::string url = options_.api_url + "/models";
  const Reply reply = client_.run(get(url), should_stop);
  if (reply.failure == Failure::cancelled) throw psw::Error(PSW_E_CANCELLED, "stopped");
  const bool no_list =
      reply.arrived() && (reply.status == 404 || reply.status == 405 || reply.status == 501);
  if (no_list && options_.dialect == "generic") {
    host_.log(PSW_LOG_WARN,
              "the server lists no models, so that nobody knows whether it has " + options_.model);
    return {{options_.model, "", {}, std::nullopt, {}}};
  }
  if (!reply.good()) throw explain(reply, url);
  auto models = read_models(reply.body);
  if (!models) {
    throw psw::Error(PSW_E_CONFIG, "/base_url: what answers at " + options_.api_url +
                                       " speaks another language (its /models is no list)");
  }
  return *std::move(models);
}

const ListedModel& Server::choose(const std::vector<ListedModel>& models,
                                  const std::string& dialect) const {
  const ListedModel* found = find_model(models, options_.model, dialect == "llama_server");
  if (found != nullptr) return *found;
  std::vector<std::string> names;
  for (const ListedModel& model : models) names.push_back(model.id);
  const std::string near = psw::lines::near_names(options_.model, names);
  throw psw::Error(
      PSW_E_NOT_FOUND,
      "the server at " + options_.root_url + " has no model " + options_.model + "; " +
          (near.empty() ? "it has none at all" : "it has " + near) +
          (dialect == "llama_server" ? ": set model, or start it with --alias " + options_.model
                                     : ": set model"));
}

std::string Server::find_dialect(const std::vector<ListedModel>& models, const Stop& should_stop) {
  if (options_.dialect != "auto") return options_.dialect;
  std::string dialect = dialect_of(models, options_.api_url);
  if (dialect.empty() &&
      read_props(client_.run(get(options_.root_url + "/props"), should_stop).body))
    dialect = "llama_server";
  if (dialect.empty() &&
      read_lm_studio(client_.run(get(options_.root_url + "/api/v0/models"), should_stop).body,
                     options_.model)) {
    dialect = "lm_studio";
  }
  if (dialect.empty()) dialect = "generic";
  host_.log(PSW_LOG_INFO, "the server is taken for " + dialect);
  return dialect;
}

Server::Seen Server::look(const Stop& should_stop) {
  const std::vector<ListedModel> models = list_models(should_stop);
  Seen seen;
  seen.dialect = dialect_.empty() ? find_dialect(models, should_stop) : dialect_;
  const ListedModel& model = choose(models, seen.dialect);
  nlohmann::json identity{{"engine", seen.dialect}, {"model", model.id}};
  for (const auto& [key, value] : model.meta) identity["model_" + key] = value;
  const auto ask = [&](const char* path) {
    const Reply reply = client_.run(get(options_.root_url + path), should_stop);
    if (reply.failure == Failure::cancelled) throw psw::Error(PSW_E_CANCELLED, "stopped");
    return reply.good() ? reply.body : std::string();
  };
  if (seen.dialect == "llama_server") {
    if (const auto props = read_props(ask("/props"))) {
      identity["build"] = props->build;
      identity["template_sha256"] = psw::lines::sha256_hex(props->chat_template);
      seen.context = props->context;
      seen.slots = props->slots;
    }
  } else if (seen.dialect == "vllm") {
    if (const auto version = read_version(ask("/version"))) identity["version"] = *version;
    seen.context = model.max_model_len;
  } else if (seen.dialect == "lm_studio") {
    if (const auto facts = read_lm_studio(ask("/api/v0/models"), options_.model)) {
      identity["architecture"] = facts->architecture;
      identity["quantisation"] = facts->quantisation;
      seen.context = facts->context;
    }
  }
  // These tell no more than a name, which others give their models too.
  if (seen.dialect == "generic" || seen.dialect == "openai")
    identity["host"] = host_of(options_.api_url);
  if (seen.context) identity["n_ctx"] = *seen.context;
  seen.identity = identity.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return seen;
}

void Server::check_identity(const Stop& should_stop) {
  const Seen seen = look(should_stop);
  if (seen.identity == identity_) return;
  throw psw::Error(PSW_E_STATE, "another engine answers at " + options_.root_url + " now (" +
                                    seen.identity + ", before " + identity_ +
                                    "): bring the former one back, or start its arms again");
}

}  // namespace openai
