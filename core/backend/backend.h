// SPDX-License-Identifier: Apache-2.0
// The core's view of an inference backend. A plugin in a host process, a plugin in this process
// and a test's fake are all a Backend. It never learns a trial's folder and never decides what is
// already done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/request.h"

namespace promptsweep {

struct BackendFacts {
  std::string id;  // plugin id, "llamacpp_cuda"
  std::string version;
  bool concurrent_jobs = false;
  bool partial_fetch = false;
  bool resumes = false;  // honours a resume token
  bool remote = false;
  bool gpu = false;
  bool process_only = false;
  bool seeded = false;
  std::uint32_t max_concurrent_jobs = 1;
  std::uint64_t max_requests_per_job = 0;  // 0: no limit
  std::uint64_t max_request_bytes = 0;
  std::uint64_t max_job_bytes = 0;
  std::uint64_t preferred_requests_per_job = 0;
  std::uint32_t min_poll_ms = 0;
  std::uint32_t cancel_bound_ms = 0;
};

struct JobRequest {
  std::string job_id;                   // the core's id of the job; also its idempotency key
  std::filesystem::path requests_path;  // absolute
  std::uint64_t request_count = 0;
  std::uint64_t request_bytes = 0;
  std::string requests_sha256;
  std::string resume_token;  // last checkpoint of a lost incarnation, or empty
  // Never create a remote job. When there is none, submit is Code::not_found, or (where a look-up
  // takes time) the job fails with that code and has no record.
  bool attach_only = false;
};

enum class JobState {
  queued,
  preparing,
  running,
  finalizing,
  succeeded,
  failed,
  cancelled,
  expired
};
inline bool is_terminal(JobState state) { return state >= JobState::succeeded; }
std::string_view to_string(JobState state);

struct JobStatus {
  JobState state = JobState::queued;
  std::uint64_t total = 0, done = 0, failed = 0, records_ready = 0;
  std::uint32_t next_poll_ms = 0;
  bool remote_may_continue = false;
  std::string stage;             // one line for people
  std::optional<Error> failure;  // of a failed job
};

// Receives results on the thread that calls fetch. An error return means "not taken": the backend
// offers the record again later and fetch returns that error.
using ResultSink = std::function<Status(ResultRow)>;

struct FetchResult {
  std::uint64_t delivered = 0;
  bool more = false;
};

// Methods are safe to call from several threads at once. An error of Code::unavailable after which
// the instance is dead is preceded by `lost()` being true: every job of it is gone, what it had
// delivered stays delivered, and the caller offers the rest again (to a new instance: reopen()).
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const BackendFacts& facts() const = 0;
  // What the engine really is, one canonical JSON object; "{}" when the plugin does not say.
  virtual Result<std::string> engine_identity() = 0;

  virtual Status submit(const JobRequest& job) = 0;
  virtual Result<JobStatus> poll(const std::string& job_id) = 0;
  // Delivers finished records, waiting up to `budget_ms` for I/O.
  virtual Result<FetchResult> fetch(const std::string& job_id, std::uint64_t max_records,
                                    std::uint32_t budget_ms, const ResultSink& sink) = 0;
  virtual Status cancel(const std::string& job_id) = 0;
  virtual Status close(const std::string& job_id) = 0;

  // RAM that the instance has taken at most; nullopt where it shares this process.
  virtual std::optional<std::uint64_t> peak_memory_bytes() const { return std::nullopt; }

  // The host process died or was killed. Request ids that had begun and not ended then, by job.
  virtual bool lost() const { return false; }
  struct Begun {
    std::string job_id;
    std::uint64_t request_index;
  };
  virtual std::vector<Begun> begun_when_lost() const { return {}; }
  // Starts the instance again after a loss. Code::unavailable once the restart limit is reached.
  virtual Status reopen() { return ok; }
};

// What the core does for a backend while it runs. Any member may be empty. Called from a thread of
// the backend's, also while another method of the Backend runs; log and progress one at a time.
struct BackendServices {
  std::function<void(int level, std::string_view message)> log;  // level: PSW_LOG_*
  std::function<void(std::uint64_t done, std::uint64_t total, std::string_view stage)> progress;
  // Durable when it returns ok. token <= 64 KiB.
  std::function<Status(const std::string& job_id, std::string_view token)> checkpoint;
  // Empty: the environment variable of that name. Asked only for names that the plugin declares;
  // the values are taken out of every text that the backend gives.
  std::function<std::optional<std::string>(const std::string& name)> secret;
  // True: give up starting the instance (it may be loading a model). Asked often, from any thread,
  // only while open_backend or reopen runs.
  std::function<bool()> should_stop;
  std::filesystem::path scratch_folder;
  std::filesystem::path cache_folder;
  std::string proxy, ca_bundle;  // for plugins that speak over a network; empty: none, the system's
  // The instance is asked who it is and ended: nothing has to be loaded.
  bool only_check = false;
};

}  // namespace promptsweep
