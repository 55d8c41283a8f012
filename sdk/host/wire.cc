// SPDX-License-Identifier: Apache-2.0
#include "host/wire.h"

namespace promptsweep::host {
namespace {

constexpr std::size_t header_bytes = 16;

// One list of members a struct serves writing and reading, so that the two cannot drift apart.
struct WriteFields {
  Writer& w;
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      w.number(value);
    } else {
      w.text(value);
    }
  }
};

struct ReadFields {
  Reader& r;
  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      value = r.number<T>();
    } else {
      value = T(r.text());
    }
  }
};

template <class Visit, class... Fields>
void each(Visit visit, Fields&... fields) {
  (visit(fields), ...);
}

template <class Visit, class T>
void visit_status(Visit v, T& s) {
  each(v, s.code, s.scope, s.flags, s.retry_after_ms, s.provider_code, s.message);
}

template <class Visit, class T>
void visit_description(Visit v, T& d) {
  each(v, d.id, d.name, d.vendor, d.version, d.license, d.abi_minor, d.min_host_minor,
       d.capabilities, d.config_schema_json, d.secrets_json);
  auto& l = d.limits;
  each(v, l.max_concurrent_jobs, l.max_requests_per_job, l.max_request_bytes, l.max_job_bytes,
       l.preferred_requests_per_job, l.min_poll_ms, l.cancel_bound_ms, l.create_bound_ms,
       l.destroy_bound_ms);
}

template <class Visit, class T>
void visit_args(Visit v, T& a) {
  each(v, a.job, a.flags, a.requests_path, a.request_count, a.request_bytes, a.requests_sha256,
       a.idempotency_key, a.resume_token);
}

template <class Visit, class T>
void visit_view(Visit v, T& s) {
  each(v, s.state, s.revision, s.total, s.done, s.failed, s.records_ready, s.prompt_tokens,
       s.completion_tokens, s.eta_ms, s.next_poll_ms, s.flags, s.failure, s.stage);
}

template <class Visit, class T>
void visit_record(Visit v, T& r) {
  each(v, r.outcome, r.request_index, r.request_id, r.body_json, r.error_code, r.prompt_tokens,
       r.completion_tokens, r.started_unix_us, r.finished_unix_us, r.attempts);
}

}  // namespace

void write(Writer& w, const CallStatus& x) { visit_status(WriteFields{w}, x); }
void write(Writer& w, const Description& x) { visit_description(WriteFields{w}, x); }
void write(Writer& w, const JobArgs& x) { visit_args(WriteFields{w}, x); }
void write(Writer& w, const JobView& x) { visit_view(WriteFields{w}, x); }
void write(Writer& w, const Record& x) { visit_record(WriteFields{w}, x); }
void read(Reader& r, CallStatus& x) { visit_status(ReadFields{r}, x); }
void read(Reader& r, Description& x) { visit_description(ReadFields{r}, x); }
void read(Reader& r, JobArgs& x) { visit_args(ReadFields{r}, x); }
void read(Reader& r, JobView& x) { visit_view(ReadFields{r}, x); }
void read(Reader& r, Record& x) { visit_record(ReadFields{r}, x); }

std::string encode(const Frame& frame) {
  Writer w;
  w.number(static_cast<std::uint32_t>(frame.body.size()));
  w.number(static_cast<std::uint32_t>(frame.op));
  w.number(frame.call);
  w.raw(frame.body);
  return w.take();
}

bool FrameParser::next(Frame& frame) {
  const std::string_view bytes = std::string_view(buffer_).substr(used_);
  Reader header(bytes.substr(0, header_bytes));
  const auto size = header.number<std::uint32_t>();
  const auto op = header.number<std::uint32_t>();
  const auto call = header.number<std::uint64_t>();
  const bool known = op >= static_cast<std::uint32_t>(Op::hello) &&
                     op <= static_cast<std::uint32_t>(Op::callback_reply);
  if (header.ok() && (size > max_frame_bytes || !known)) broken_ = true;
  if (broken_) return false;
  if (!header.ok() || bytes.size() - header_bytes < size) {
    buffer_.erase(0, used_);
    used_ = 0;
    return false;
  }
  frame.op = static_cast<Op>(op);
  frame.call = call;
  frame.body.assign(bytes.substr(header_bytes, size));
  used_ += header_bytes + size;
  return true;
}

}  // namespace promptsweep::host
