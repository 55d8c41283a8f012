// SPDX-License-Identifier: Apache-2.0
// The table of the plugin: a client, a server, and the language between them.
#include <promptsweep/http/client.h>
#include <promptsweep/http/request_jobs.h>

#include <promptsweep/backend.hpp>
#include <string>

#include "options.h"
#include "protocol.h"
#include "server.h"

namespace {

using namespace ollama;

psw::http::ClientOptions client_options(const psw::Host& host, const Options& options) {
  psw::http::ClientOptions out = psw::http::options_of(host);
  out.retry_after_cap = std::chrono::seconds(options.retry_after_max_s);
  out.max_in_flight = options.max_concurrent_requests;
  return out;
}

class OllamaService : public psw::http::Service {
 public:
  OllamaService(Server& server, const Options& options) : server_(server), options_(options) {}

  psw::http::Request encode(const psw::Request& line) override {
    const psw::lines::Query query = psw::lines::parse_query(line.line);
    psw::http::Request request;
    request.method = "POST";
    request.url = options_.base_url + server_.language().path(query);
    request.headers = {{"Content-Type", "application/json"}};
    request.body = server_.language().body(query);
    request.deadline = std::chrono::seconds(options_.timeout_s);
    return request;
  }
  psw::http::Verdict judge(const psw::http::Reply& reply) override {
    return server_.language().judge(reply);
  }
  psw::http::Record decode(const psw::Request& line, const psw::http::Reply& reply) override {
    server_.watch_digest();
    return server_.language().record(line, reply);
  }

 private:
  Server& server_;
  const Options& options_;
};

// `promptsweep check`: nothing is to be loaded, and nothing of somebody else's unloaded.
bool is_only_asked(const psw::Host& host) {
  try {
    return host.param("create.purpose") == "check";
  } catch (const psw::Error&) {
    return false;  // an older host
  }
}

class Ollama {
 public:
  static void validate(std::string_view config) { parse_options(config); }

  Ollama(psw::Host host, std::string_view config)
      : host_(host),
        options_(parse_options(config)),
        client_(std::make_unique<psw::http::Client>(client_options(host_, options_))),
        server_(host_, options_, *client_),
        service_(server_, options_),
        only_asked_(is_only_asked(host_)) {
    if (!only_asked_) server_.warm_up();
  }
  ~Ollama() {
    if (options_.unload_at_end && !only_asked_) server_.unload();
    client_.reset();  // its thread may still report to server_
  }

  void run(psw::Job& job) {
    const auto stop = [&job] { return job.stopping(); };
    try {
      server_.check_digest(stop);
      // One more than the server works on, so that it never waits for the next line.
      psw::http::run_requests(*client_, service_, job, options_.max_concurrent_requests + 1);
      check_again(job);
    } catch (const psw::Error& error) {
      if (error.code != PSW_E_CANCELLED) job.stage(error.text);
      throw;
    }
  }

  std::string identity() { return server_.identity(); }

 private:
  // A server that does not tell its models now has answered all the same.
  void check_again(const psw::Job& job) {
    if (job.stopping()) return;
    try {
      server_.check_digest([&job] { return job.stopping(); });
    } catch (const psw::Error& error) {
      if (error.code == PSW_E_STATE) throw;
      job.log(PSW_LOG_WARN, "cannot see whether the model is still the same: " + error.text);
    }
  }

  const psw::Host host_;
  const Options options_;
  std::unique_ptr<psw::http::Client> client_;
  Server server_;
  OllamaService service_;
  const bool only_asked_;
};

const psw_limits limits = {sizeof(psw_limits),
                           /*max_concurrent_jobs=*/64,
                           /*max_requests_per_job=*/0,
                           /*max_request_bytes=*/0,
                           /*max_job_bytes=*/0,
                           /*preferred_requests_per_job=*/0,
                           /*min_poll_ms=*/5,
                           /*cancel_bound_ms=*/5000,
                           /*create_bound_ms=*/1800000,
                           /*destroy_bound_ms=*/15000};

const psw_descriptor descriptor = {sizeof(psw_descriptor),
                                   /*min_host_minor=*/0,
                                   PSW_LIT("local_ollama"),
                                   PSW_LIT("Ollama on this machine or in this network"),
                                   PSW_LIT("promptsweep"),
                                   PSW_LIT("0.1.0"),
                                   PSW_LIT("Apache-2.0"),
                                   PSW_CAP_CONCURRENT_JOBS | PSW_CAP_PARTIAL_FETCH | PSW_CAP_REMOTE,
                                   &limits,
                                   PSW_LIT(options_schema),
                                   PSW_LIT("[]")};

}  // namespace

PSW_DEFINE_PLUGIN(Ollama, descriptor)
