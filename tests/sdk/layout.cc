// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include <cxxabi.h>
#include <promptsweep/backend.h>

#include <cstdlib>
#include <typeinfo>

namespace {

template <class T>
std::string type_name() {
  char* text = abi::__cxa_demangle(typeid(T).name(), nullptr, nullptr, nullptr);
  std::string out = text != nullptr ? text : typeid(T).name();
  std::free(text);
  return out;
}

// Collects the fields of one struct. Since the header has no padding, a field that is missing in
// the lists below shows as a gap.
class Collector {
 public:
  explicit Collector(const char* name) { struct_.name = name; }
  Collector& field(const char* name, std::size_t offset, std::size_t size,
                   const std::string& type) {
    struct_.has_gap = struct_.has_gap || offset != end_;
    end_ = offset + size;
    struct_.fields.push_back(std::to_string(offset) + " " + std::to_string(size) + " " + type +
                             " " + name);
    return *this;
  }
  AbiStruct done(std::size_t size) {
    struct_.has_gap = struct_.has_gap || end_ != size;
    return struct_;
  }

 private:
  AbiStruct struct_;
  std::size_t end_ = 0;
};

}  // namespace

#define FIELD(name) field(#name, offsetof(S, name), sizeof(S::name), type_name<decltype(S::name)>())

std::vector<AbiStruct> abi_structs() {
  std::vector<AbiStruct> out;
  {
    using S = psw_str;
    Collector c("psw_str");
    c.FIELD(data).FIELD(len);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_out;
    Collector c("psw_out");
    c.FIELD(data).FIELD(cap).FIELD(len);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_error;
    Collector c("psw_error");
    c.FIELD(struct_size)
        .FIELD(code)
        .FIELD(scope)
        .FIELD(flags)
        .FIELD(retry_after_ms)
        .FIELD(provider_code)
        .FIELD(reserved0)
        .FIELD(message);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_host_api;
    Collector c("psw_host_api");
    c.FIELD(struct_size)
        .FIELD(abi_minor)
        .FIELD(self)
        .FIELD(name)
        .FIELD(version)
        .FIELD(log)
        .FIELD(should_stop)
        .FIELD(wait_stop)
        .FIELD(progress)
        .FIELD(mark)
        .FIELD(secret_get)
        .FIELD(param_get)
        .FIELD(checkpoint_put)
        .FIELD(get_service);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_record;
    Collector c("psw_record");
    c.FIELD(struct_size)
        .FIELD(outcome)
        .FIELD(request_index)
        .FIELD(request_id)
        .FIELD(body_json)
        .FIELD(error_code)
        .FIELD(flags)
        .FIELD(prompt_tokens)
        .FIELD(completion_tokens)
        .FIELD(started_unix_us)
        .FIELD(finished_unix_us)
        .FIELD(attempts)
        .FIELD(reserved0);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_sink;
    Collector c("psw_sink");
    c.FIELD(struct_size)
        .FIELD(reserved0)
        .FIELD(self)
        .FIELD(emit)
        .FIELD(blob_open)
        .FIELD(blob_write)
        .FIELD(blob_commit)
        .FIELD(blob_abort);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_submit_args;
    Collector c("psw_submit_args");
    c.FIELD(struct_size)
        .FIELD(flags)
        .FIELD(job)
        .FIELD(requests_path)
        .FIELD(request_count)
        .FIELD(request_bytes)
        .FIELD(requests_sha256)
        .FIELD(idempotency_key)
        .FIELD(resume_token)
        .FIELD(deadline_unix_ms);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_job_status;
    Collector c("psw_job_status");
    c.FIELD(struct_size)
        .FIELD(state)
        .FIELD(revision)
        .FIELD(requests_total)
        .FIELD(requests_done)
        .FIELD(requests_failed)
        .FIELD(records_ready)
        .FIELD(prompt_tokens)
        .FIELD(completion_tokens)
        .FIELD(eta_ms)
        .FIELD(next_poll_ms)
        .FIELD(flags)
        .FIELD(failure)
        .FIELD(reserved0)
        .FIELD(stage);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_fetch_args;
    Collector c("psw_fetch_args");
    c.FIELD(struct_size).FIELD(budget_ms).FIELD(job).FIELD(max_records).FIELD(sink);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_fetch_result;
    Collector c("psw_fetch_result");
    c.FIELD(struct_size).FIELD(more).FIELD(emitted);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_limits;
    Collector c("psw_limits");
    c.FIELD(struct_size)
        .FIELD(max_concurrent_jobs)
        .FIELD(max_requests_per_job)
        .FIELD(max_request_bytes)
        .FIELD(max_job_bytes)
        .FIELD(preferred_requests_per_job)
        .FIELD(min_poll_ms)
        .FIELD(cancel_bound_ms)
        .FIELD(create_bound_ms)
        .FIELD(destroy_bound_ms);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_descriptor;
    Collector c("psw_descriptor");
    c.FIELD(struct_size)
        .FIELD(min_host_minor)
        .FIELD(id)
        .FIELD(name)
        .FIELD(vendor)
        .FIELD(version)
        .FIELD(license)
        .FIELD(capabilities)
        .FIELD(limits)
        .FIELD(config_schema_json)
        .FIELD(secrets_json);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_create_args;
    Collector c("psw_create_args");
    c.FIELD(struct_size).FIELD(flags).FIELD(host).FIELD(config_json);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_plugin_api;
    Collector c("psw_plugin_api");
    c.FIELD(struct_size)
        .FIELD(abi_minor)
        .FIELD(describe)
        .FIELD(init)
        .FIELD(deinit)
        .FIELD(validate_config)
        .FIELD(create)
        .FIELD(destroy)
        .FIELD(submit)
        .FIELD(poll)
        .FIELD(fetch)
        .FIELD(cancel)
        .FIELD(close)
        .FIELD(get_extension);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_identity_api;
    Collector c("psw_identity_api");
    c.FIELD(struct_size).FIELD(reserved0).FIELD(get);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_tokenize_api;
    Collector c("psw_tokenize_api");
    c.FIELD(struct_size).FIELD(reserved0).FIELD(count);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_resources;
    Collector c("psw_resources");
    c.FIELD(struct_size).FIELD(reserved0).FIELD(ram_bytes).FIELD(vram_bytes).FIELD(basis);
    out.push_back(c.done(sizeof(S)));
  }
  {
    using S = psw_resources_api;
    Collector c("psw_resources_api");
    c.FIELD(struct_size).FIELD(reserved0).FIELD(estimate);
    out.push_back(c.done(sizeof(S)));
  }
  return out;
}

#define CONSTANT(name) std::string(#name) + " " + std::to_string(static_cast<long long>(name))

std::vector<std::string> abi_constants() {
  return {
      CONSTANT(PSW_OK),
      CONSTANT(PSW_E_INVALID_ARGUMENT),
      CONSTANT(PSW_E_CONFIG),
      CONSTANT(PSW_E_UNSUPPORTED),
      CONSTANT(PSW_E_NOT_FOUND),
      CONSTANT(PSW_E_STATE),
      CONSTANT(PSW_E_AUTH),
      CONSTANT(PSW_E_RATE_LIMITED),
      CONSTANT(PSW_E_UNAVAILABLE),
      CONSTANT(PSW_E_TIMEOUT),
      CONSTANT(PSW_E_RESOURCE),
      CONSTANT(PSW_E_TOO_LARGE),
      CONSTANT(PSW_E_CANCELLED),
      CONSTANT(PSW_E_DATA),
      CONSTANT(PSW_E_INTERNAL),
      CONSTANT(PSW_SCOPE_REQUEST),
      CONSTANT(PSW_SCOPE_JOB),
      CONSTANT(PSW_SCOPE_INSTANCE),
      CONSTANT(PSW_SCOPE_LIBRARY),
      CONSTANT(PSW_ERR_RETRYABLE),
      CONSTANT(PSW_ERR_TRUNCATED),
      CONSTANT(PSW_LOG_TRACE),
      CONSTANT(PSW_LOG_DEBUG),
      CONSTANT(PSW_LOG_INFO),
      CONSTANT(PSW_LOG_WARN),
      CONSTANT(PSW_LOG_ERROR),
      CONSTANT(PSW_MARK_BEGIN),
      CONSTANT(PSW_MARK_END),
      CONSTANT(PSW_OUTCOME_OK),
      CONSTANT(PSW_OUTCOME_TRUNCATED),
      CONSTANT(PSW_OUTCOME_FILTERED),
      CONSTANT(PSW_OUTCOME_PROMPT_TRUNCATED),
      CONSTANT(PSW_OUTCOME_ERROR_REQUEST),
      CONSTANT(PSW_OUTCOME_ERROR_BACKEND),
      CONSTANT(PSW_OUTCOME_ERROR_TIMEOUT),
      CONSTANT(PSW_OUTCOME_CANCELLED),
      CONSTANT(PSW_OUTCOME_EXPIRED),
      CONSTANT(PSW_JOB_QUEUED),
      CONSTANT(PSW_JOB_PREPARING),
      CONSTANT(PSW_JOB_RUNNING),
      CONSTANT(PSW_JOB_FINALIZING),
      CONSTANT(PSW_JOB_SUCCEEDED),
      CONSTANT(PSW_JOB_FAILED),
      CONSTANT(PSW_JOB_CANCELLED),
      CONSTANT(PSW_JOB_EXPIRED),
      CONSTANT(PSW_JOBF_REMOTE_MAY_CONTINUE),
      CONSTANT(PSW_SUBMIT_ATTACH_ONLY),
      CONSTANT(PSW_CAP_CONCURRENT_JOBS),
      CONSTANT(PSW_CAP_RESUME),
      CONSTANT(PSW_CAP_PARTIAL_FETCH),
      CONSTANT(PSW_CAP_REMOTE),
      CONSTANT(PSW_CAP_GPU),
      CONSTANT(PSW_CAP_PROCESS_ONLY),
      CONSTANT(PSW_CAP_UNLOADABLE),
      CONSTANT(PSW_CAP_SEEDED),
  };
}

std::string abi_text() {
  std::string out;
  for (const AbiStruct& s : abi_structs()) {
    out += "struct " + s.name + "\n";
    for (const std::string& field : s.fields) out += "  " + field + "\n";
  }
  for (const std::string& constant : abi_constants()) out += "constant " + constant + "\n";
  for (const char* id :
       {PSW_EXT_IDENTITY, PSW_EXT_TOKENIZE, PSW_EXT_RESOURCES, PSW_ENTRY_SYMBOL_V1}) {
    out += std::string("name ") + id + "\n";
  }
  return out;
}
