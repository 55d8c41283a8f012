// SPDX-License-Identifier: Apache-2.0
// A Backend over one plugin instance, in a host process or in this one.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "backend/open.h"
#include "backend/start_host.h"
#include "backend/text.h"
#include "base/env.h"
#include "host/inline_instance.h"

namespace promptsweep {
namespace {

using Clock = std::chrono::steady_clock;

// Beyond the plugin's own cancel bound, for a busy machine.
constexpr std::uint32_t cancel_margin_ms = 2000;

// Plugins of this project that do nothing but HTTP; others with the same names get no more than a
// process of their own would give them.
bool is_bundled_http(const PluginInfo& plugin) {
  static const std::set<std::string> ids = {"local_ollama", "fireworks", "openai_compatible"};
  return plugin.facts.remote && ids.count(plugin.id) != 0;
}

Result<bool> runs_inline(const PluginInfo& plugin, const std::string& isolation) {
  if (isolation == "auto") return is_bundled_http(plugin) && !plugin.facts.process_only;
  if (isolation == "process") return false;
  if (isolation != "inline") {
    return Error{Code::invalid_input,
                 "isolation: \"" + isolation + "\" is not one of auto, process, inline"};
  }
  if (plugin.facts.process_only) {
    return Error{Code::invalid_input, plugin.id +
                                          " runs only in a process of its own, because its "
                                          "libraries may abort: set isolation to auto or process"};
  }
  return true;
}

class PluginBackend : public Backend {
 public:
  PluginBackend(PluginInfo plugin, OpenOptions options, bool is_inline, BackendServices services)
      : plugin_(std::move(plugin)),
        options_(std::move(options)),
        inline_(is_inline),
        services_(std::move(services)) {
    for (const std::string& name : plugin_.secrets) read_secret(name);
  }

  Status open() {
    opening_ = true;
    Status opened = start_instance();
    opening_ = false;
    return opened;
  }

 private:
  Status start_instance() {
    host::Services services = host_services();
    if (inline_) {
      const host::LoadedPlugin* loaded = nullptr;
      host::CallStatus status = host::load_plugin(plugin_.library, &loaded);
      std::unique_ptr<host::Instance> instance;
      if (status) {
        status =
            host::create_inline(*loaded, options_.options_json, std::move(services), &instance);
      }
      if (!status) return to_error(status, redactor_);
      std::lock_guard<std::mutex> lock(mutex_);
      instance_ = std::move(instance);
      return ok;
    }
    const auto output = [this](std::string_view line) {
      log(PSW_LOG_DEBUG, plugin_.id + " wrote: " + std::string(line));
    };
    auto started = start_host(plugin_.library, std::move(services), output, redactor_);
    if (!started) return std::move(started).error();
    std::shared_ptr<host::HostProcess> process = *std::move(started);
    if (const host::CallStatus s = process->create(options_.options_json); !s) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (const auto death = process->death()) last_death_ = redactor_.clean(*death);
      return to_error(s, redactor_);
    }
    std::lock_guard<std::mutex> lock(mutex_);
    process_ = process;
    instance_ = std::move(process);
    return ok;
  }

 public:
  const BackendFacts& facts() const override { return plugin_.facts; }

  Result<std::string> engine_identity() override {
    const auto instance = current();
    if (!instance) return not_open();
    std::string json;
    const host::CallStatus s = instance->identity(json);
    if (s.code == PSW_E_UNSUPPORTED) return std::string("{}");
    if (!s) return to_error(s, redactor_);
    const nlohmann::json identity = nlohmann::json::parse(json, nullptr, false);
    if (!identity.is_object()) {
      return Error{Code::data, plugin_.id + " gives an identity that is not a JSON object"};
    }
    return redactor_.clean(identity.dump());
  }

  std::optional<std::uint64_t> peak_memory_bytes() const override {
    std::shared_ptr<host::HostProcess> process;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      process = process_;
    }
    if (!process) return std::nullopt;
    const Result<std::uint64_t> bytes = peak_memory_bytes_of(process->pid());
    return bytes ? std::optional(*bytes) : std::nullopt;
  }

  Status submit(const JobRequest& request) override {
    const auto instance = current();
    if (!instance) return not_open();
    auto job = std::make_shared<Job>();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (jobs_.count(request.job_id) != 0) {
        return Error{Code::state, "job " + request.job_id + " was submitted before"};
      }
      job->number = ++last_number_;
      jobs_[request.job_id] = job;
      names_[job->number] = request.job_id;
    }
    host::JobArgs args;
    args.job = job->number;
    args.flags = request.attach_only ? std::uint32_t(PSW_SUBMIT_ATTACH_ONLY) : 0u;
    args.requests_path = request.requests_path.string();
    args.request_count = request.request_count;
    args.request_bytes = request.request_bytes;
    args.requests_sha256 = request.requests_sha256;
    args.idempotency_key = request.job_id;
    args.resume_token = request.resume_token;
    const auto turn = take_turn(*job);
    const host::CallStatus s = instance->submit(args);
    if (s) return ok;
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(request.job_id);
    names_.erase(job->number);
    return to_error(s, redactor_);
  }

  Result<JobStatus> poll(const std::string& job_id) override {
    const auto [instance, job] = find(job_id);
    if (!job) return no_job(job_id);
    host::JobView view;
    const host::CallStatus s = instance->poll(job->number, view);
    if (!s) return to_error(s, redactor_);
    JobStatus out;
    out.state = state_of(view.state);
    out.total = view.total;
    out.done = view.done;
    out.failed = view.failed;
    out.records_ready = view.records_ready;
    out.next_poll_ms = view.next_poll_ms;
    out.remote_may_continue = (view.flags & PSW_JOBF_REMOTE_MAY_CONTINUE) != 0;
    out.stage = redactor_.clean(view.stage);
    if (out.state == JobState::failed) {
      out.failure = Error{code_of(view.failure), plugin_.id + " gave the job up (code " +
                                                     std::to_string(view.failure) + ")" +
                                                     (out.stage.empty() ? "" : ": " + out.stage)};
    }
    if (!is_terminal(out.state)) stop_if_cancel_hangs(*job);
    return out;
  }

  Result<FetchResult> fetch(const std::string& job_id, std::uint64_t max_records,
                            std::uint32_t budget_ms, const ResultSink& sink) override {
    const auto [instance, job] = find(job_id);
    if (!job) return no_job(job_id);
    std::optional<Error> refused;
    const host::Sink take = [&](const host::Record& record) -> host::CallStatus {
      Status taken = sink(to_row(record, job_id, redactor_));
      if (taken) return {};
      refused = std::move(taken).error();
      return host::CallStatus::failure(PSW_E_INTERNAL, "the record was not taken");
    };
    host::Fetched fetched;
    const auto turn = take_turn(*job);
    const host::CallStatus s = instance->fetch(job->number, max_records, budget_ms, take, fetched);
    if (refused) return *std::move(refused);
    if (!s) return to_error(s, redactor_);
    return FetchResult{fetched.emitted, fetched.more};
  }

  Status cancel(const std::string& job_id) override {
    const auto [instance, job] = find(job_id);
    if (!job) return no_job(job_id);
    const host::CallStatus s = instance->cancel(job->number);
    if (!s) return to_error(s, redactor_);
    std::lock_guard<std::mutex> lock(mutex_);
    if (!job->cancelled_at) job->cancelled_at = Clock::now();
    return ok;
  }

  Status close(const std::string& job_id) override {
    const auto [instance, job] = find(job_id);
    if (!job) return no_job(job_id);
    const auto turn = take_turn(*job);
    const host::CallStatus s = instance->close(job->number);
    if (!s) return to_error(s, redactor_);
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(job_id);
    names_.erase(job->number);
    return ok;
  }

  bool lost() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return !instance_ || (process_ && process_->death());
  }

  std::vector<Begun> begun_when_lost() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Begun> out;
    if (!process_ || !process_->death()) return out;
    for (const auto& begun : process_->begun()) {
      const auto name = names_.find(begun.job);
      if (name != names_.end()) out.push_back({name->second, begun.request_index});
    }
    return out;
  }

  Status reopen() override {
    std::shared_ptr<host::Instance> gone;  // its destructor joins threads: outside the lock
    std::shared_ptr<host::HostProcess> gone_process;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (instance_ && !(process_ && process_->death())) {
        return Error{Code::state, "the backend " + plugin_.id + " is alive"};
      }
      if (process_) last_death_ = redactor_.clean(*process_->death());
      if (restarts_ >= options_.restart_limit) {
        return Error{Code::unavailable,
                     "the host process of " + plugin_.id + " ended " +
                         std::to_string(restarts_ + 1) +
                         " times, which is the limit; the last time: " + last_death_};
      }
      ++restarts_;
      gone = std::move(instance_);
      gone_process = std::move(process_);
      instance_.reset();
      process_.reset();
      jobs_.clear();
      names_.clear();
    }
    gone.reset();
    gone_process.reset();
    log(PSW_LOG_WARN,
        "starting the host process of " + plugin_.id + " again (" + last_death_ + ")");
    return open();
  }

 private:
  struct Job {
    psw_job number = PSW_NO_JOB;
    std::mutex turn;  // submit, fetch and close of one job come one at a time
    std::optional<Clock::time_point> cancelled_at;  // guarded by the backend's mutex_
  };

  // A plugin without CONCURRENT_JOBS is called for one job at a time.
  std::unique_lock<std::mutex> take_turn(Job& job) {
    return std::unique_lock<std::mutex>(plugin_.facts.concurrent_jobs ? job.turn : instance_turn_);
  }

  std::shared_ptr<host::Instance> current() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return instance_;
  }
  std::pair<std::shared_ptr<host::Instance>, std::shared_ptr<Job>> find(
      const std::string& job_id) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = jobs_.find(job_id);
    if (!instance_ || found == jobs_.end()) return {};
    return {instance_, found->second};
  }
  Error not_open() const {
    return {Code::unavailable, "the backend " + plugin_.id + " is not running"};
  }
  Error no_job(const std::string& job_id) const {
    if (!current()) return not_open();
    return {Code::not_found, plugin_.id + " has no job " + job_id};
  }

  static JobState state_of(std::int32_t state) {
    switch (state) {
      case PSW_JOB_QUEUED:
        return JobState::queued;
      case PSW_JOB_PREPARING:
        return JobState::preparing;
      case PSW_JOB_FINALIZING:
        return JobState::finalizing;
      case PSW_JOB_SUCCEEDED:
        return JobState::succeeded;
      case PSW_JOB_CANCELLED:
        return JobState::cancelled;
      case PSW_JOB_EXPIRED:
        return JobState::expired;
      default:
        // A newer state: at least the order of numbers is known.
        return state >= PSW_JOB_SUCCEEDED ? JobState::failed : JobState::running;
    }
  }

  // A cancelled job that does not end within the plugin's own bound hangs; only the end of its
  // process frees what it holds.
  void stop_if_cancel_hangs(const Job& job) {
    std::shared_ptr<host::HostProcess> process;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!process_ || !job.cancelled_at || plugin_.facts.cancel_bound_ms == 0) return;
      const auto bound =
          std::chrono::milliseconds(plugin_.facts.cancel_bound_ms + cancel_margin_ms);
      if (Clock::now() - *job.cancelled_at < bound) return;
      process = process_;
    }
    process->kill("a cancelled job did not stop within " +
                  std::to_string(plugin_.facts.cancel_bound_ms) + " ms");
  }

  void log(std::int32_t level, std::string_view message) {
    std::lock_guard<std::mutex> lock(log_mutex_);
    if (services_.log) services_.log(level, redactor_.clean(message));
  }

  std::optional<std::string> read_secret(const std::string& name) {
    const auto& declared = plugin_.secrets;
    if (std::find(declared.begin(), declared.end(), name) == declared.end()) return std::nullopt;
    auto value = services_.secret ? services_.secret(name) : environment(name.c_str());
    if (value) redactor_.add(*value);
    return value;
  }

  std::optional<std::string> param(std::string_view key) const {
    std::string value;
    if (key == "dir.scratch") value = services_.scratch_folder.string();
    if (key == "dir.cache") value = services_.cache_folder.string();
    if (key == "net.proxy") value = services_.proxy;
    if (key == "net.ca_bundle") value = services_.ca_bundle;
    if (key == "create.purpose") value = services_.only_check ? "check" : "run";
    if (value.empty()) return std::nullopt;
    return value;
  }

  psw_status checkpoint(psw_job number, std::string_view token) {
    std::string job_id;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const auto name = names_.find(number);
      if (name == names_.end()) return PSW_E_NOT_FOUND;
      job_id = name->second;
    }
    if (!services_.checkpoint) return PSW_E_UNSUPPORTED;
    const Status stored = services_.checkpoint(job_id, token);
    if (stored) return PSW_OK;
    log(PSW_LOG_ERROR, "a checkpoint of job " + job_id + " was not stored: " + stored.error().text);
    return PSW_E_RESOURCE;
  }

  host::Services host_services() {
    host::Services s;
    s.log = [this](psw_job, std::int32_t level, std::string_view message) { log(level, message); };
    s.progress = [this](psw_job, std::uint64_t done, std::uint64_t total, std::string_view stage) {
      std::lock_guard<std::mutex> lock(log_mutex_);
      if (services_.progress) services_.progress(done, total, redactor_.clean(stage));
    };
    s.secret = [this](std::string_view name) { return read_secret(std::string(name)); };
    s.param = [this](std::string_view key) { return param(key); };
    s.checkpoint = [this](psw_job number, std::string_view token) {
      return checkpoint(number, token);
    };
    // Once it runs, an instance's jobs are cancelled one by one; where it lives makes no
    // difference.
    s.should_stop = [this] { return opening_ && services_.should_stop && services_.should_stop(); };
    return s;
  }

  const PluginInfo plugin_;
  const OpenOptions options_;
  const bool inline_;
  const BackendServices services_;
  Redactor redactor_;
  std::atomic<bool> opening_{false};

  std::mutex log_mutex_;      // one log or progress call at a time; taken last
  std::mutex instance_turn_;  // see take_turn; taken before mutex_

  mutable std::mutex mutex_;  // guards what follows; never held during a call of the plugin
  std::map<std::string, std::shared_ptr<Job>> jobs_;
  std::map<psw_job, std::string> names_;
  psw_job last_number_ = PSW_NO_JOB;
  int restarts_ = 0;
  std::string last_death_;
  // Last: their destructors still call the services above.
  std::shared_ptr<host::Instance> instance_;
  std::shared_ptr<host::HostProcess> process_;  // instance_ when it is a process, else null
};

}  // namespace

Result<std::unique_ptr<Backend>> open_backend(const PluginInfo& plugin, const OpenOptions& options,
                                              BackendServices services) {
  const Result<bool> is_inline = runs_inline(plugin, options.isolation);
  if (!is_inline) return is_inline.error();
  auto backend = std::make_unique<PluginBackend>(plugin, options, *is_inline, std::move(services));
  if (Status opened = backend->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace promptsweep
