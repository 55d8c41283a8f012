// SPDX-License-Identifier: Apache-2.0
// The table of the plugin.
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/lines.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>
#include <string>

#include "batch_job.h"
#include "janitor.h"
#include "options.h"
#include "places.h"
#include "preflight.h"
#include "realtime.h"

namespace {

using namespace fireworks;

class JobWork : public Work {
 public:
  explicit JobWork(const psw::Job& job) : job_(job) {}
  std::uint64_t size() const override { return job_.size(); }
  const std::string& idempotency_key() const override { return job_.idempotency_key(); }
  const std::string& resume_token() const override { return job_.resume_token(); }
  bool attach_only() const override { return job_.attach_only(); }
  bool read(psw::Request& request) override { return job_.read(request); }
  bool deliver(const psw::Request& request, const std::string& body, std::int32_t outcome,
               psw::Usage usage) override {
    return job_.deliver(request, body, outcome, usage);
  }
  bool fail(const psw::Request& request, std::int32_t outcome, psw_status code,
            const std::string& sentence) override {
    return job_.fail(request, outcome, code, psw::lines::failure_body(sentence));
  }
  bool stopping() const override { return job_.stopping(); }
  bool leaving() const override { return job_.leaving(); }
  bool sleep(std::uint32_t ms) override { return job_.sleep(ms); }
  void stage(const std::string& text) override { job_.stage(text); }
  void progress(std::uint64_t done) override { job_.progress(done); }
  void provider_ended(std::int32_t state) override { job_.provider_ended(state); }
  void set_remote_may_continue() override { job_.set_remote_may_continue(); }
  void leave_open() override { job_.leave_open(); }
  void checkpoint(const std::string& token) override { job_.checkpoint(token); }
  void log(std::int32_t level, const std::string& message) override { job_.log(level, message); }
  std::int64_t now_unix_ms() const override { return psw::unix_us_now() / 1000; }

 private:
  const psw::Job& job_;
};

class ClientWire : public Wire {
 public:
  ClientWire(psw::http::Client& client, std::uint32_t timeout_s)
      : client_(client), timeout_(std::chrono::seconds(timeout_s)) {}
  http::Reply send(http::Request request, const std::function<bool()>& should_stop) override {
    const bool moves_a_file =
        !request.body_file.empty() || !request.parts.empty() || !request.save_to.empty();
    if (!moves_a_file) request.deadline = std::min(request.deadline, timeout_);
    return client_.run(std::move(request), should_stop);
  }

 private:
  psw::http::Client& client_;
  const psw::http::Milliseconds timeout_;
};

psw::http::ClientOptions client_options(const psw::Host& host, const Options& options) {
  psw::http::ClientOptions out = psw::http::options_of(host);
  out.max_in_flight = options.max_concurrent_requests;
  out.retry_after_cap =
      psw::http::Milliseconds(static_cast<std::int64_t>(options.retry_after_max_s * 1000));
  return out;
}

class Fireworks {
 public:
  static constexpr bool attaches = true;
  static void validate(std::string_view config) { parse_options(config); }

  Fireworks(psw::Host host, std::string_view config)
      : host_(host),
        options_(parse_options(config)),
        client_(client_options(host_, options_)),
        wire_(client_, options_.timeout_s),
        chat_(options_),
        places_(options_.max_concurrent_jobs),
        janitor_(wire_, options_,
                 [this](const std::string& message) { host_.log(PSW_LOG_INFO, message); }) {
    check_key();
    Control control(wire_, options_.base_url, options_.account_id,
                    [this] { return host_.should_stop(); });
    check_account_and_model(control, options_, [this](const std::string& message) {
      host_.log(PSW_LOG_WARN, message);
    });
  }
  ~Fireworks() { janitor_.finish(); }

  void run(psw::Job& job) {
    if (options_.realtime) {
      run_realtime(job);
    } else {
      run_batch(job);
    }
  }

  std::string identity() {
    nlohmann::json out{{"service", "fireworks"},
                       {"host", host_of(options_.base_url)},
                       {"model", options_.model},
                       {"mode", options_.realtime ? "realtime" : "batch"}};
    if (!options_.precision.empty()) out["precision"] = options_.precision;
    return out.dump();
  }

 private:
  static std::string host_of(const std::string& url) {
    const std::size_t at = url.find("//") + 2;
    return url.substr(at, url.find_first_of(":/", at) - at);
  }

  void check_key() const {
    std::string key;
    try {
      key = host_.secret("FIREWORKS_API_KEY");
    } catch (const psw::Error&) {
      // Said below.
    }
    if (key.empty()) {
      throw psw::Error(PSW_E_AUTH, "there is no key: set FIREWORKS_API_KEY in the environment");
    }
  }

  void run_realtime(psw::Job& job) {
    if (job.attach_only()) {
      throw psw::Error(PSW_E_NOT_FOUND, "realtime requests end with their connection");
    }
    psw::http::run_requests(client_, chat_, job, options_.max_concurrent_requests);
  }

  void run_batch(psw::Job& job) {
    janitor_.sweep(std::chrono::steady_clock::now(), [&job] { return job.stopping(); });
    JobWork work(job);
    BatchJob batch(work, wire_, options_, places_, host_.param("dir.scratch"));
    batch.run();
    if (job.leaving()) return;
    janitor_.add(batch.leftovers(), [job] { return job.all_taken(); });
  }

  const psw::Host host_;
  const Options options_;
  psw::http::Client client_;
  ClientWire wire_;
  RealtimeChat chat_;
  Places places_;
  Janitor janitor_;
};

const psw_limits limits = {sizeof(psw_limits),
                           /*max_concurrent_jobs=*/64,
                           /*max_requests_per_job=*/100000,
                           /*max_request_bytes=*/0,
                           /*max_job_bytes=*/400000000,
                           /*preferred_requests_per_job=*/10000,
                           /*min_poll_ms=*/50,
                           /*cancel_bound_ms=*/15000,
                           /*create_bound_ms=*/120000,
                           /*destroy_bound_ms=*/30000};

const psw_descriptor descriptor = {
    sizeof(psw_descriptor),
    /*min_host_minor=*/0,
    PSW_LIT("fireworks"),
    PSW_LIT("Fireworks AI: batch jobs and chat completions"),
    PSW_LIT("promptsweep"),
    PSW_LIT("0.1.0"),
    PSW_LIT("Apache-2.0"),
    PSW_CAP_CONCURRENT_JOBS | PSW_CAP_RESUME | PSW_CAP_REMOTE | PSW_CAP_PARTIAL_FETCH,
    &limits,
    PSW_LIT(options_schema),
    PSW_LIT("[\"FIREWORKS_API_KEY\"]")};

}  // namespace

PSW_DEFINE_PLUGIN(Fireworks, descriptor)
