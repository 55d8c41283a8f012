// SPDX-License-Identifier: Apache-2.0
// The engine: n_parallel worker threads over one queue that the jobs fill, as a real in-process
// engine has one loop for all jobs.
#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <promptsweep/backend.hpp>
#include <thread>
#include <vector>

#include "answers.h"
#include "creation.h"
#include "delivery.h"
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
    note_event(options_, "create", options_.label);
    load_pretended_model(options_, host);
    secret_hash_ = use_secret(options_, host);
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
    note_event(options_, "destroy", options_.label);
  }

  void run(psw::Job& job) {
    note_event(options_, "submit", options_.label + " " + std::to_string(job.size()));
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
      Delivery delivery;
      delivery.queue_ms = ms_between(queued.since, started);
      delivery.total_ms = ms_between(started, Clock::now());
      deliver_answer(job, request, answer, failure, delivery);
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
    if (fail_without_answer(kind, job, request)) return false;
    switch (kind) {
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
      default:
        return true;
    }
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
