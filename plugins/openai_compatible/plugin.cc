// SPDX-License-Identifier: Apache-2.0
// The table of the plugin: a client, a server, and the language of chat completions between them.
#include <promptsweep/http/client.h>
#include <promptsweep/http/openai_chat.h>
#include <promptsweep/http/request_jobs.h>

#include <memory>
#include <promptsweep/backend.hpp>
#include <string>
#include <utility>
#include <vector>

#include "options.h"
#include "server.h"

namespace {

using namespace openai;

psw::http::ClientOptions client_options(const psw::Host& host, const Options& options) {
  psw::http::ClientOptions out = psw::http::options_of(host);
  out.retry_after_cap = std::chrono::seconds(options.retry_after_max_s);
  out.max_in_flight = options.max_concurrent_requests;
  out.adaptive = options.adaptive;
  return out;
}

// A secret that nobody has set is told before anything is sent.
void require_key(const psw::Host& host, const Options& options) {
  if (options.api_key.empty()) return;
  bool is_set = false;
  try {
    is_set = !host.secret(options.api_key).empty();
  } catch (const psw::Error&) {
    is_set = false;  // the host says no more than that it has none
  }
  if (!is_set)
    throw psw::Error(PSW_E_AUTH, "the key " + options.api_key + " is not set: set it, or api_key");
}

class ChatService : public psw::http::Service {
 public:
  ChatService(const Server& server, const Options& options) : server_(server), options_(options) {}

  psw::http::Request encode(const psw::Request& line) override {
    const psw::lines::Query query = psw::lines::parse_query(line.line);
    psw::http::Request request;
    request.method = "POST";
    request.url = query.prompt ? completions_url_ : chat_url_;
    request.headers = headers_;
    request.secret = options_.api_key;
    request.body = server_.writer().body(query);
    request.deadline = std::chrono::seconds(options_.timeout_s);
    return request;
  }
  psw::http::Verdict judge(const psw::http::Reply& reply) override {
    return psw::http::judge_chat(reply);
  }
  psw::http::Record decode(const psw::Request& line, const psw::http::Reply& reply) override {
    psw::http::Record record = psw::http::read_chat(what_, line, reply, server_.writer().dialect());
    if (server_.context() && record.outcome <= PSW_OUTCOME_FILTERED)
      return check_fit(line, std::move(record));
    return record;
  }

 private:
  // As in process: a prompt and the tokens that its answer may take have to fit together, else an
  // arm with a longer system prompt would be cut earlier than its control.
  psw::http::Record check_fit(const psw::Request& line, psw::http::Record record) const {
    const auto most = static_cast<std::uint64_t>(psw::lines::parse_query(line.line).max_tokens);
    if (record.usage.prompt_tokens + most <= *server_.context()) return record;
    return psw::http::failed_record(PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE,
                                    "the prompt of " + std::to_string(record.usage.prompt_tokens) +
                                        " tokens and max_tokens of " + std::to_string(most) +
                                        " do not fit into the server's context of " +
                                        std::to_string(*server_.context()));
  }

  const Server& server_;
  const Options& options_;
  const std::string what_ = "POST " + options_.api_url;
  const std::string chat_url_ = options_.api_url + "/chat/completions";
  const std::string completions_url_ = options_.api_url + "/completions";
  const std::vector<psw::http::Header> headers_ = {{"Content-Type", "application/json"},
                                                   {"Accept", "application/json"}};
};

class OpenAiCompatible {
 public:
  static void validate(std::string_view config) { parse_options(config); }

  OpenAiCompatible(psw::Host host, std::string_view config)
      : host_((require_key(host, parse_options(config)), host)),
        options_(parse_options(config)),
        client_(client_options(host_, options_)),
        server_(host_, options_, client_),
        service_(server_, options_) {}

  void run(psw::Job& job) {
    try {
      server_.check_identity([&job] { return job.stopping(); });
      // Twice what is in flight, so that the server never waits for the next line.
      psw::http::run_requests(client_, service_, job,
                              std::size_t{2} * options_.max_concurrent_requests);
    } catch (const psw::Error& error) {
      if (error.code != PSW_E_CANCELLED) job.stage(error.text);
      throw;
    }
  }

  std::string identity() { return server_.identity(); }

 private:
  const psw::Host host_;
  const Options options_;
  psw::http::Client client_;
  Server server_;
  ChatService service_;
};

const psw_limits limits = {sizeof(psw_limits),
                           /*max_concurrent_jobs=*/64,
                           /*max_requests_per_job=*/0,
                           /*max_request_bytes=*/0,
                           /*max_job_bytes=*/0,
                           /*preferred_requests_per_job=*/1024,
                           /*min_poll_ms=*/5,
                           /*cancel_bound_ms=*/5000,
                           /*create_bound_ms=*/1800000,
                           /*destroy_bound_ms=*/5000};

const psw_descriptor descriptor = {sizeof(psw_descriptor),
                                   /*min_host_minor=*/0,
                                   PSW_LIT("openai_compatible"),
                                   PSW_LIT("Servers that speak OpenAI's chat completions"),
                                   PSW_LIT("promptsweep"),
                                   PSW_LIT("0.1.0"),
                                   PSW_LIT("Apache-2.0"),
                                   PSW_CAP_CONCURRENT_JOBS | PSW_CAP_PARTIAL_FETCH | PSW_CAP_REMOTE,
                                   &limits,
                                   PSW_LIT(options_schema),
                                   PSW_LIT(secrets_json)};

}  // namespace

PSW_DEFINE_PLUGIN(OpenAiCompatible, descriptor)
