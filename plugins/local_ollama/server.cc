// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <promptsweep/http/error_body.h>
#include <promptsweep/http/retry.h>
#include <promptsweep/options.h>
#include <promptsweep/sha256.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reply.h"

namespace ollama {

using psw::http::Failure;
using psw::http::Reply;
using psw::http::Request;
using psw::http::Verdict;

namespace {

constexpr std::int64_t look_every_us = 2'000'000;
constexpr psw::http::Milliseconds short_deadline{30'000};

// Whole JSON that is no error: servers before 0.12.6 reported errors with status 200.
bool is_answer(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  return document.is_object() && !document.contains("error");
}

std::string digest_of(const std::vector<Listed>& models, const std::string& name) {
  const auto found = std::find_if(models.begin(), models.end(), [&](const Listed& model) {
    return is_same_model(model.name, name);
  });
  return found == models.end() ? "" : found->digest;
}

}  // namespace

Server::Server(const psw::Host& host, const Options& options, psw::http::Client& client)
    : host_(host), options_(options), client_(client) {
  read_server();
  check_model();
  language_ = std::make_unique<Language>(options_, version_, facts_);
}

Request Server::get(const std::string& path) const {
  Request request;
  request.url = options_.base_url + path;
  request.deadline =
      std::min<psw::http::Milliseconds>(short_deadline, std::chrono::seconds(options_.timeout_s));
  request.paced = false;  // a look at the server is not work for its model
  return request;
}

Request Server::post(const std::string& path, std::string body) const {
  Request request = get(path);
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::move(body);
  return request;
}

Reply Server::call(Request request, const std::function<bool()>& should_stop) {
  const std::string what = request.method + " " + request.url;
  if (!request.judge) {
    request.judge = [](const Reply& reply) {
      Verdict verdict = psw::http::judge_by_status(reply, true);
      // Who waits for a server that is not there wants to hear of it soon.
      if (reply.failure == Failure::connect || reply.failure == Failure::resolve)
        verdict.after = psw::http::Milliseconds(200);
      if (reply.good()) {
        if (!is_answer(reply.body)) verdict.kind = Verdict::again;
      } else if (reply.arrived() &&
                 speaks_of_memory(psw::http::parse_error_body(reply.body).message)) {
        verdict.kind = Verdict::done;
      }
      return verdict;
    };
  }
  Reply reply = client_.run(std::move(request), should_stop);
  if (reply.failure == Failure::cancelled) throw psw::Error(PSW_E_CANCELLED, "stopped");
  if (!reply.good()) throw explain(what, reply, options_);
  if (!is_answer(reply.body)) {
    const ReadReply read = read_reply(reply.body);
    throw psw::Error(
        PSW_E_DATA,
        what + ": " + (read.error.empty() ? "the reply is not whole JSON" : read.error));
  }
  return reply;
}

void Server::read_server() {
  const auto stop = [this] { return host_.should_stop(); };
  const auto version = read_version(call(get("/api/version"), stop).body);
  if (!version) {
    throw psw::Error(PSW_E_CONFIG, "/base_url: what answers at " + options_.base_url +
                                       " is no Ollama server (it tells no version)");
  }
  version_ = *version;
  const std::vector<Listed> models = read_models(call(get("/api/tags"), stop).body);
  digest_ = digest_of(models, options_.model);
  if (!digest_.empty()) return;
  std::vector<std::string> names;
  for (const Listed& model : models) names.push_back(model.name);
  const std::string near = psw::lines::near_names(options_.model, names);
  throw psw::Error(PSW_E_NOT_FOUND, "Ollama has no model " + options_.model +
                                        ": get it with `ollama pull " + options_.model + "`; " +
                                        (near.empty() ? "it has none at all" : "it has " + near));
}

void Server::check_model() {
  const nlohmann::json body{{"model", options_.model}};
  facts_ =
      read_facts(call(post("/api/show", body.dump()), [this] { return host_.should_stop(); }).body);
  if (!facts_.capabilities.empty() && !facts_.can("completion")) {
    throw psw::Error(PSW_E_CONFIG,
                     "/model: " + options_.model + " writes no text; choose another model");
  }
  if (facts_.context_length != 0 && options_.num_ctx > facts_.context_length) {
    throw psw::Error(PSW_E_CONFIG, "/num_ctx: found " + std::to_string(options_.num_ctx) +
                                       "; allowed is at most " +
                                       std::to_string(facts_.context_length) +
                                       ", the context that the model was trained for");
  }
  if (options_.think != "off" && !facts_.can("thinking")) {
    throw psw::Error(PSW_E_CONFIG, "/think: found " + options_.think + "; " + options_.model +
                                       " does not reason, so that only off is allowed");
  }
  if (!version_.refuses_long_prompts()) {
    host_.log(PSW_LOG_WARN, "Ollama " + version_.text +
                                " cuts long prompts without a word: prompts with more "
                                "bytes than num_ctx - max_tokens are not sent");
  }
}

void Server::warm_up() {
  host_.progress(0, 1, "loading " + options_.model);
  Request request = post("/api/generate", language_->load_body());
  request.deadline = std::chrono::seconds(options_.timeout_s);
  call(std::move(request), [this] { return host_.should_stop(); });
  check_loaded();
  host_.progress(1, 1, "loaded " + options_.model);
}

void Server::check_loaded() {
  const std::string body = call(get("/api/ps"), [this] { return host_.should_stop(); }).body;
  const auto loaded = read_loaded(body, options_.model);
  if (!loaded) return;
  if (loaded->context_length && *loaded->context_length < options_.num_ctx) {
    throw psw::Error(PSW_E_CONFIG, "/num_ctx: found " + std::to_string(options_.num_ctx) +
                                       "; the server loaded the model with " +
                                       std::to_string(*loaded->context_length) +
                                       ", which is the most it allows");
  }
  if (loaded->size != 0 && loaded->size_vram < loaded->size) {
    host_.log(PSW_LOG_INFO, std::to_string(loaded->size_vram * 100 / loaded->size) + " % of " +
                                options_.model + " is on the GPU, the rest on the CPU");
  }
}

void Server::unload() noexcept {
  try {
    Request request = post("/api/generate", language_->unload_body());
    request.deadline = psw::http::Milliseconds(5'000);
    request.max_attempts = 1;
    client_.run(std::move(request));
  } catch (const std::exception&) {
    // The server forgets the model by itself, only later.
  }
}

void Server::check_digest(const std::function<bool()>& should_stop) {
  if (watch_->changed) report_change();
  see_digest(call(get("/api/tags"), should_stop).body);
  if (watch_->changed) report_change();
}

void Server::see_digest(const std::string& tags_body) {
  const std::string now = digest_of(read_models(tags_body), options_.model);
  if (now == digest_) return;
  const std::lock_guard<std::mutex> lock(watch_->mutex);
  watch_->now = now;
  watch_->changed = true;
}

void Server::watch_digest() {
  if (watch_->changed) report_change();
  const std::int64_t now = psw::unix_us_now();
  if (now < next_look_us_ || watch_->asking.exchange(true)) return;
  next_look_us_ = now + look_every_us;
  // A look that fails says nothing about the model; the requests themselves will.
  client_.start(get("/api/tags"), [this](const Reply& reply) {
    if (reply.good() && is_answer(reply.body)) see_digest(reply.body);
    watch_->asking = false;
  });
}

void Server::report_change() const {
  const std::lock_guard<std::mutex> lock(watch_->mutex);
  throw psw::http::JobEnds(
      PSW_E_STATE, "the model " + options_.model + " changed while the run used it (digest " +
                       digest_.substr(0, 12) + ", now " +
                       (watch_->now.empty() ? "gone" : watch_->now.substr(0, 12)) +
                       "): bring the former one back, or start its arms again");
}

std::string Server::identity() const {
  return nlohmann::json{{"engine", "ollama"},
                        {"version", version_.text},
                        {"model_digest", digest_},
                        {"quantisation", facts_.quantisation},
                        {"family", facts_.family},
                        {"parameter_size", facts_.parameter_size},
                        {"template_sha256", psw::lines::sha256_hex(facts_.template_text)},
                        {"num_ctx", options_.num_ctx}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ollama
