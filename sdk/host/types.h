// SPDX-License-Identifier: Apache-2.0
// The plain data that passes between a plugin and the program: the C structs of
// promptsweep/backend.h with owned strings.
#pragma once

#include <promptsweep/backend.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace promptsweep::host {

// How a call ended: psw_error with an owned text.
struct [[nodiscard]] CallStatus {
  psw_status code = PSW_OK;
  std::int32_t scope = 0;  // PSW_SCOPE_*
  std::uint32_t flags = 0;
  std::int64_t retry_after_ms = -1;
  std::int32_t provider_code = 0;
  std::string message;

  explicit operator bool() const { return code == PSW_OK; }
  static CallStatus failure(psw_status code, std::string message,
                            std::int32_t scope = PSW_SCOPE_JOB) {
    return {code, scope, 0, -1, 0, std::move(message)};
  }
};

struct Limits {
  std::uint32_t max_concurrent_jobs = 1;
  std::uint64_t max_requests_per_job = 0, max_request_bytes = 0, max_job_bytes = 0;
  std::uint64_t preferred_requests_per_job = 0;
  std::uint32_t min_poll_ms = 0, cancel_bound_ms = 0, create_bound_ms = 0, destroy_bound_ms = 0;
};

// psw_descriptor.
struct Description {
  std::string id, name, vendor, version, license;
  std::uint32_t abi_minor = 0, min_host_minor = 0;
  std::uint64_t capabilities = 0;  // PSW_CAP_*
  Limits limits;
  std::string config_schema_json, secrets_json;

  bool has(std::uint64_t capability) const { return (capabilities & capability) != 0; }
};

struct JobArgs {
  psw_job job = PSW_NO_JOB;
  std::uint32_t flags = 0;  // PSW_SUBMIT_*
  std::string requests_path;
  std::uint64_t request_count = 0, request_bytes = 0;
  std::string requests_sha256, idempotency_key, resume_token;
};

// psw_job_status.
struct JobView {
  std::int32_t state = PSW_JOB_QUEUED;
  std::uint64_t revision = 0, total = 0, done = 0, failed = 0, records_ready = 0;
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  std::int64_t eta_ms = -1;
  std::uint32_t next_poll_ms = 0, flags = 0;
  psw_status failure = PSW_OK;
  std::string stage;
};

// psw_record. The views are valid during the sink's call.
struct Record {
  std::int32_t outcome = 0;
  std::uint64_t request_index = PSW_INDEX_UNKNOWN;
  std::string_view request_id, body_json;
  psw_status error_code = PSW_OK;
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  std::int64_t started_unix_us = 0, finished_unix_us = 0;
  std::uint32_t attempts = 1;
};

// Takes one record, on the thread that called fetch. A failure means "not taken": the record is
// offered again by a later fetch, and this fetch returns that failure.
using Sink = std::function<CallStatus(const Record&)>;

struct Fetched {
  std::uint64_t emitted = 0;
  bool more = false;
};

struct ResourceNeed {
  std::uint64_t ram_bytes = 0, vram_bytes = 0;
  std::string basis;
};

// What the program does for an instance. Each may be empty. With a host process they are called on
// a thread of the client, one at a time; inline, on whatever thread the plugin calls from.
struct Services {
  std::function<void(psw_job, std::int32_t level, std::string_view message)> log;
  std::function<void(psw_job, std::uint64_t done, std::uint64_t total, std::string_view stage)>
      progress;
  // Inline only; a host process's marks are kept by the client (HostProcess::begun).
  std::function<void(psw_job, std::uint64_t request_index, std::int32_t what)> mark;
  std::function<std::optional<std::string>(std::string_view name)> secret;
  std::function<std::optional<std::string>(std::string_view key)> param;
  // Durable when it returns PSW_OK.
  std::function<psw_status(psw_job, std::string_view token)> checkpoint;
  // True: the instance shall stop, also while it is being created. Any thread.
  std::function<bool()> should_stop;
};

}  // namespace promptsweep::host
