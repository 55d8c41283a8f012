// SPDX-License-Identifier: Apache-2.0
// The table of the plugin: a model, an engine, and llama.cpp's log.
#include <llama.h>

#include <mutex>
#include <promptsweep/backend.hpp>
#include <string>

#include "engine.h"
#include "model.h"
#include "options.h"
#include "resources.h"

namespace {

using namespace llamacpp;

// llama.cpp has one log for the whole process: it goes to the newest instance's host.
class LogRoute {
 public:
  void attach(const psw::Host* host) {
    std::lock_guard<std::mutex> lock(mutex_);
    host_ = host;
  }
  void detach(const psw::Host* host) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (host_ == host) host_ = nullptr;
  }
  void write(ggml_log_level level, const char* text) {
    std::lock_guard<std::mutex> lock(mutex_);
    // A continued line belongs to the one before.
    if (level != GGML_LOG_LEVEL_CONT) level_ = level;
    line_ += text;
    if (line_.empty() || line_.back() != '\n') return;
    line_.pop_back();
    // Its warnings are about its own affairs; they are kept for those who look for them.
    const bool tell = level_ == GGML_LOG_LEVEL_WARN || level_ == GGML_LOG_LEVEL_ERROR;
    if (host_ != nullptr && tell && !line_.empty()) {
      host_->log(level_ == GGML_LOG_LEVEL_ERROR ? PSW_LOG_ERROR : PSW_LOG_DEBUG,
                 "llama.cpp: " + line_);
    }
    line_.clear();
  }

 private:
  std::mutex mutex_;
  const psw::Host* host_ = nullptr;
  ggml_log_level level_ = GGML_LOG_LEVEL_NONE;
  std::string line_;
};

LogRoute log_route;

class LlamaCpp {
 public:
  static void validate(std::string_view config) { parse_options(config); }
  static void init_library(std::string_view) {
    llama_log_set(
        [](ggml_log_level level, const char* text, void*) { log_route.write(level, text); },
        nullptr);
    llama_backend_init();
  }
  static void deinit_library() { llama_backend_free(); }

  LlamaCpp(psw::Host host, std::string_view config)
      : host_(host),
        log_(host_),
        options_(parse_options(config)),
        model_(host_, options_),
        engine_(host_, options_, model_) {}

  void run(psw::Job& job) {
    psw::Request request;
    while (job.read(request)) engine_.enqueue(job, request);
    if (!job.wait_answered()) engine_.forget(job.id());
  }

  std::string identity() { return model_.identity(); }
  std::uint64_t count_tokens(std::string_view line) {
    return model_.prompt_tokens(parse_query(line)).size();
  }
  static psw::Resources estimate(std::string_view config) {
    return estimate_resources(parse_options(config));
  }

 private:
  // First in, last out: the engine's thread may still log while it ends.
  struct Attached {
    explicit Attached(const psw::Host& host) : host(&host) { log_route.attach(this->host); }
    ~Attached() { log_route.detach(host); }
    const psw::Host* host;
  };

  const psw::Host host_;
  const Attached log_;
  const Options options_;
  const Model model_;
  Engine engine_;
};

const psw_limits limits = {sizeof(psw_limits),
                           /*max_concurrent_jobs=*/64,
                           /*max_requests_per_job=*/0,
                           /*max_request_bytes=*/0,
                           /*max_job_bytes=*/0,
                           /*preferred_requests_per_job=*/0,
                           /*min_poll_ms=*/5,
                           /*cancel_bound_ms=*/10000,
                           /*create_bound_ms=*/1800000,
                           /*destroy_bound_ms=*/15000};

const psw_descriptor descriptor = {sizeof(psw_descriptor),
                                   /*min_host_minor=*/0,
                                   PSW_LIT("llamacpp_cuda"),
                                   PSW_LIT("llama.cpp in this process, on CUDA or the CPU"),
                                   PSW_LIT("promptsweep"),
                                   PSW_LIT("0.1.0"),
                                   PSW_LIT("Apache-2.0"),
                                   PSW_CAP_CONCURRENT_JOBS | PSW_CAP_PARTIAL_FETCH | PSW_CAP_GPU |
                                       PSW_CAP_PROCESS_ONLY | PSW_CAP_SEEDED,
                                   &limits,
                                   PSW_LIT(options_schema),
                                   PSW_LIT("[]")};

}  // namespace

PSW_DEFINE_PLUGIN(LlamaCpp, descriptor)
