// SPDX-License-Identifier: Apache-2.0
// The engine: n_parallel worker threads over one queue that the jobs fill, as a real in-process
// engine has one loop for all jobs.
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <promptsweep/backend.hpp>
#include <thread>
#include <vector>

#include "answers.h"
#include "failures.h"
#include "options.h"
#include "schema.h"

namespace {

using namespace echo;
using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

class Echo {
 public:
  static void validate(std::string_view config) { parse_options(config); }

  Echo(psw::Host host, std::string_view config)
      : options_(parse_options(config)), answers_(options_), failures_(options_) {
    note("create", options_.label);
    load(host);
    if (options_.use_secret) {
      // Careless on purpose: the core must redact what a plugin blurts out.
      const std::string secret = host.secret("ECHO_TOKEN");
      secret_hash_ = std::to_string(hash_of(secret));
      host.log(PSW_LOG_WARN, "using the token " + secret);
    }
    for (unsigned i = 0; i < options_.n_parallel; ++i) {
      workers_.emplace_back([this] { work(); });
    }
  }

  ~Echo() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      quit_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    note("destroy", options_.label);
  }

  void run(psw::Job& job) {
    note("submit", options_.label + " " + std::to_string(job.size()));
    psw::Request request;
    while (job.read(request)) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        queue_.push_back({job, request, Clock::now()});
      }
      changed_.notify_one();
    }
    if (job.wait_answered()) return;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto is_ours = [&](const Queued& q) { return q.job.id() == job.id(); };
    queue_.erase(std::remove_if(queue_.begin(), queue_.end(), is_ours), queue_.end());
  }

  std::string identity() { return identity_of(options_, secret_hash_); }
  std::uint64_t count_tokens(std::string_view line) { return prompt_words(line); }
  static psw::Resources estimate(std::string_view config) {
    const Options options = parse_options(config);
    return {options.ram_bytes, options.vram_bytes, "declared by the options"};
  }

 private:
  struct Queued {
    psw::Job job;
    psw::Request request;
    Clock::time_point since;
  };

  // What loading a model would be: takes time, tells its progress, may fail, may be stopped.
  void load(const psw::Host& host) {
    constexpr std::uint32_t slice_ms = 10;
    for (std::uint32_t passed = 0; passed < options_.create_delay_ms; passed += slice_ms) {
      host.progress(passed, options_.create_delay_ms, "loading");
      if (host.should_stop()) throw psw::Error(PSW_E_CANCELLED, "stopped while loading");
      std::this_thread::sleep_for(std::chrono::milliseconds(slice_ms));
    }
    psw::Error error(PSW_E_RESOURCE, "not enough memory (injected)");
    error.scope = PSW_SCOPE_INSTANCE;
    if (options_.create_error == CreateError::resource) throw error;
    if (options_.max_parallel != 0 && options_.n_parallel > options_.max_parallel) throw error;
    error.code = PSW_E_AUTH;
    error.text = "not allowed (injected)";
    if (options_.create_error == CreateError::auth) throw error;
    if (options_.create_error == CreateError::abort) std::abort();
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return quit_ || !queue_.empty(); });
      if (quit_) return;
      const Queued next = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      serve(next);
      lock.lock();
    }
  }

  void serve(const Queued& queued) {
    const psw::Job& job = queued.job;
    const psw::Request& request = queued.request;
    const Clock::time_point started = Clock::now();
    job.begin(request);
    if (job.sleep(delay_of(request))) return;
    try {
      const std::optional<FailureKind> failure = failures_.next(request);
      if (failure && !survives(*failure, job, request)) return;
      const Answer answer = answers_.answer(request.request_id, request.line);
      deliver(job, request, answer, failure, ms_between(queued.since, started),
              ms_between(started, Clock::now()));
    } catch (const psw::Error& error) {
      job.fail(request, error);
    } catch (const std::exception& error) {
      job.fail(request, psw::Error(PSW_E_INTERNAL, error.what()));
    }
  }

  std::uint32_t delay_of(const psw::Request& request) const {
    const double share = share_of(hash_of(request.request_id, options_.jitter_seed));
    return options_.delay_ms + static_cast<std::uint32_t>(share * options_.jitter_ms);
  }

  // Failures without an answer. True: there will be one.
  bool survives(FailureKind kind, const psw::Job& job, const psw::Request& request) {
    const auto fail = [&](std::int32_t outcome, psw_status code, const char* sentence) {
      job.fail(request, outcome, code, psw::error_body(sentence));
      return false;
    };
    switch (kind) {
      case FailureKind::error_backend:
        return fail(PSW_OUTCOME_ERROR_BACKEND, PSW_E_UNAVAILABLE, "unavailable (injected)");
      case FailureKind::error_timeout:
        return fail(PSW_OUTCOME_ERROR_TIMEOUT, PSW_E_TIMEOUT, "timed out (injected)");
      case FailureKind::error_request:
        return fail(PSW_OUTCOME_ERROR_REQUEST, PSW_E_INVALID_ARGUMENT, "refused (injected)");
      case FailureKind::prompt_truncated:
        return fail(PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE, "too long (injected)");
      case FailureKind::abort:
        std::abort();
      case FailureKind::kill:
        std::raise(SIGKILL);
        return false;
      case FailureKind::stall:
        while (!job.sleep(1000)) {
        }
        return false;
      case FailureKind::hang:
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
      case FailureKind::truncated:
      case FailureKind::empty:
      case FailureKind::filtered:
        return true;
    }
    return true;
  }

  static void deliver(const psw::Job& job, const psw::Request& request, const Answer& answer,
                      std::optional<FailureKind> failure, double queue_ms, double total_ms) {
    if (answer.refused_request) {
      job.fail(request, PSW_OUTCOME_ERROR_REQUEST, PSW_E_INVALID_ARGUMENT,
               psw::error_body(answer.text));
      return;
    }
    std::string_view text = answer.text;
    std::string_view reason = answer.truncated ? "length" : "stop";
    std::int32_t outcome = answer.truncated ? PSW_OUTCOME_TRUNCATED : PSW_OUTCOME_OK;
    if (failure == FailureKind::truncated) {
      text = text.substr(0, text.size() / 2);
      reason = "length";
      outcome = PSW_OUTCOME_TRUNCATED;
    } else if (failure == FailureKind::filtered) {
      text = "";
      reason = "content_filter";
      outcome = PSW_OUTCOME_FILTERED;
    } else if (failure == FailureKind::empty) {
      text = " \n";
    }
    job.deliver(request, body_of(answer, text, reason, queue_ms, total_ms), outcome,
                {answer.prompt_tokens, answer.completion_tokens});
  }

  // One write a line, so that lines of several processes do not mix.
  void note(const char* event, const std::string& detail) const {
    if (options_.event_log.empty()) return;
    std::ofstream(options_.event_log, std::ios::app) << std::to_string(psw::unix_us_now()) + " " +
                                                            std::to_string(::getpid()) + " " +
                                                            event + " " + detail + "\n";
  }

  const Options options_;
  const Answers answers_;
  Failures failures_;
  std::string secret_hash_;
  std::mutex mutex_;  // guards queue_ and quit_
  std::condition_variable changed_;
  std::deque<Queued> queue_;
  bool quit_ = false;
  std::vector<std::thread> workers_;
};

const psw_limits limits = {sizeof(psw_limits),
                           /*max_concurrent_jobs=*/64,
                           /*max_requests_per_job=*/0,
                           /*max_request_bytes=*/0,
                           /*max_job_bytes=*/0,
                           /*preferred_requests_per_job=*/0,
                           /*min_poll_ms=*/5,
                           /*cancel_bound_ms=*/1000,
                           /*create_bound_ms=*/30000,
                           /*destroy_bound_ms=*/2000};

const psw_descriptor descriptor = {
    sizeof(psw_descriptor),
    /*min_host_minor=*/0,
    PSW_LIT(ECHO_ID),
    PSW_LIT("Echo"),
    PSW_LIT("promptsweep"),
    PSW_LIT("1.0.0"),
    PSW_LIT("Apache-2.0"),
    PSW_CAP_CONCURRENT_JOBS | PSW_CAP_SEEDED | (ECHO_PARTIAL_FETCH ? PSW_CAP_PARTIAL_FETCH : 0),
    &limits,
    PSW_LIT(options_schema),
    PSW_LIT("[\"ECHO_TOKEN\"]")};

}  // namespace

PSW_DEFINE_PLUGIN(Echo, descriptor)
