// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/backend.hpp -- C++17 layer over backend.h for plugin authors. Header only; it uses
// the standard library alone, and nothing of it crosses the ABI.
//
// An author writes one class and two lines:
//
//   class Echo {
//    public:
//     static void validate(std::string_view config_json);      // throws psw::Error, pure
//     Echo(psw::Host host, std::string_view config_json);      // may load a model, may throw
//     void run(psw::Job& job) {                                // an SDK thread, one per job
//       psw::Request request;
//       while (!job.stopping() && job.next(request)) job.deliver(request, answer(request.line));
//     }
//   };
//   const psw_descriptor descriptor = {...};
//   PSW_DEFINE_PLUGIN(Echo, descriptor)
//
// Optional members, found by their signature:
//   std::string identity();                                    -> psw.identity/1
//   std::uint64_t count_tokens(std::string_view request_line); -> psw.tokenize/1
//   static psw::Resources estimate(std::string_view config);   -> psw.resources/1
//   static void init_library(std::string_view library_dir);    first init() of the library
//   static void deinit_library();                              last deinit()
//   static constexpr bool attaches = true;                     run() is able to look for a remote
//       job by its key (see Job::attach_only); without it the layer answers such a submit itself
//
// What the layer does: an exception firewall around every entry; the job table, a thread a job, the
// state machine and monotone counters; a poll that never waits; a fetch that offers a refused
// record again; exactly one record a request whatever run() does; marks; joining everything in
// destroy().
//
// Rules for this file: everything sits in a versioned inline namespace, and no inline function
// holds a static, so that two plugins built with different SDKs share no object.
#ifndef PROMPTSWEEP_BACKEND_HPP_INCLUDED
#define PROMPTSWEEP_BACKEND_HPP_INCLUDED

#include <promptsweep/backend.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace psw {
inline namespace sdk_1_0 {

// ---- values ----------------------------------------------------------------------------------

// A failure on its way to the host. `text` is for people: no secrets, no prompt text. For
// PSW_E_CONFIG it begins with one JSON pointer: "/n_ctx: 12 is below 32".
struct Error : std::exception {
  psw_status code;
  std::string text;
  bool retryable = false;
  std::int32_t scope = PSW_SCOPE_JOB;
  std::int64_t retry_after_ms = -1;
  std::int32_t provider_code = 0;

  Error(psw_status code_, std::string text_) : code(code_), text(std::move(text_)) {}
  const char* what() const noexcept override { return text.c_str(); }
};

struct Request {
  std::uint64_t index = 0;  // line of the requests file, from 0
  std::string request_id;   // decoded
  std::string line;         // the whole line, request.schema.json
};

struct Usage {
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
};

// Zero means "let the layer say": from begin() until deliver() or fail(), one attempt.
struct Times {
  std::int64_t started_unix_us = 0, finished_unix_us = 0;
  std::uint32_t attempts = 0;
};

// Memory that an instance would need.
struct Resources {
  std::uint64_t ram_bytes = 0, vram_bytes = 0;
  std::string basis;  // one line: how this was estimated
};

inline psw_str to_str(std::string_view s) noexcept { return {s.data(), s.size()}; }
inline std::string_view view(const psw_str& s) noexcept {
  return s.data ? std::string_view(s.data, static_cast<std::size_t>(s.len)) : std::string_view();
}

inline std::int64_t unix_us_now() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

// {"error":"<sentence>"}: the body of a failed record.
inline std::string error_body(std::string_view sentence) {
  std::string out = "{\"error\":\"";
  for (const char c : sentence) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"}";
}

// The outcome that fits an error of one request, for authors who have nothing better.
inline std::int32_t outcome_of(psw_status code) noexcept {
  switch (code) {
    case PSW_E_INVALID_ARGUMENT:
    case PSW_E_UNSUPPORTED:
    case PSW_E_TOO_LARGE:
      return PSW_OUTCOME_ERROR_REQUEST;
    case PSW_E_TIMEOUT:
      return PSW_OUTCOME_ERROR_TIMEOUT;
    case PSW_E_CANCELLED:
      return PSW_OUTCOME_CANCELLED;
    default:
      return PSW_OUTCOME_ERROR_BACKEND;
  }
}

// ---- the firewall ----------------------------------------------------------------------------

// Every write to a caller's struct is guarded by its struct_size.
#define PSW_SET(p, T, f, v)             \
  do {                                  \
    if (PSW_HAS(p, T, f)) (p)->f = (v); \
  } while (0)

namespace detail {

// Returns false when `text` did not fit; out.len then says how much it needs.
inline bool put(psw_out& out, std::string_view text) noexcept {
  const std::size_t n = text.size() < out.cap ? text.size() : static_cast<std::size_t>(out.cap);
  if (n != 0 && out.data) std::memcpy(out.data, text.data(), n);
  out.len = text.size();
  return n == text.size();
}

inline psw_status report(psw_error* error, const Error& failure) noexcept {
  if (!error) return failure.code;
  std::uint32_t flags = failure.retryable ? std::uint32_t(PSW_ERR_RETRYABLE) : 0u;
  if (PSW_HAS(error, psw_error, message) && !put(error->message, failure.text)) {
    flags |= std::uint32_t(PSW_ERR_TRUNCATED);
  }
  PSW_SET(error, psw_error, code, failure.code);
  PSW_SET(error, psw_error, scope, failure.scope);
  PSW_SET(error, psw_error, flags, flags);
  PSW_SET(error, psw_error, retry_after_ms, failure.retry_after_ms);
  PSW_SET(error, psw_error, provider_code, failure.provider_code);
  return failure.code;
}

// Runs f and turns whatever it throws into an Error for `handle`.
template <class F, class Handle>
void catching(F&& f, Handle&& handle) noexcept {
  try {
    f();
  } catch (const Error& e) {
    handle(e);
  } catch (const std::bad_alloc&) {
    Error e(PSW_E_RESOURCE, "out of memory");
    e.retryable = true;
    handle(e);
  } catch (const std::exception& e) {
    handle(Error(PSW_E_INTERNAL, e.what()));
  } catch (...) {
    handle(Error(PSW_E_INTERNAL, "unknown exception"));
  }
}

template <class F>
psw_status guarded(psw_error* error, F&& f) noexcept {
  psw_status status = PSW_OK;
  catching(f, [&](const Error& e) { status = report(error, e); });
  return status;
}

// ---- reading a requests file -----------------------------------------------------------------

// Decodes the JSON string that begins behind the opening quote at `*at`.
class JsonStringReader {
 public:
  JsonStringReader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::string read() {
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return out;
      if (c == '\\') {
        read_escape(out);
      } else {
        out += c;
      }
    }
    throw Error(PSW_E_INVALID_ARGUMENT, "unterminated request_id");
  }

 private:
  void read_escape(std::string& out) {
    const char c = at_ < text_.size() ? text_[at_++] : '\0';
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += c;
        return;
      case 'n':
        out += '\n';
        return;
      case 't':
        out += '\t';
        return;
      case 'r':
        out += '\r';
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'u':
        append_utf8(out, read_code_point());
        return;
      default:
        throw Error(PSW_E_INVALID_ARGUMENT, "bad escape in a request_id");
    }
  }

  unsigned read_code_point() {
    const unsigned first = read_hex4();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || text_.substr(at_, 2) != "\\u") {
      throw Error(PSW_E_INVALID_ARGUMENT, "lone surrogate in a request_id");
    }
    at_ += 2;
    const unsigned second = read_hex4();
    if (second < 0xDC00 || second > 0xDFFF) {
      throw Error(PSW_E_INVALID_ARGUMENT, "lone surrogate in a request_id");
    }
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  unsigned read_hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = at_ < text_.size() ? text_[at_++] : '\0';
      if (c >= '0' && c <= '9') {
        value = value * 16 + unsigned(c - '0');
      } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
        value = value * 16 + unsigned((c | 32) - 'a' + 10);
      } else {
        throw Error(PSW_E_INVALID_ARGUMENT, "bad escape in a request_id");
      }
    }
    return value;
  }

  static void append_utf8(std::string& out, unsigned u) {
    if (u < 0x80) {
      out += char(u);
    } else if (u < 0x800) {
      out += char(0xC0 | (u >> 6));
      out += char(0x80 | (u & 63));
    } else if (u < 0x10000) {
      out += char(0xE0 | (u >> 12));
      out += char(0x80 | ((u >> 6) & 63));
      out += char(0x80 | (u & 63));
    } else {
      out += char(0xF0 | (u >> 18));
      out += char(0x80 | ((u >> 12) & 63));
      out += char(0x80 | ((u >> 6) & 63));
      out += char(0x80 | (u & 63));
    }
  }

  std::string_view text_;
  std::size_t at_;
};

// The core writes request_id as the first member, so no JSON library is needed to find it.
inline std::string request_id_of(std::string_view line) {
  constexpr std::string_view head = "{\"request_id\":";
  if (line.substr(0, head.size()) != head) {
    throw Error(PSW_E_INVALID_ARGUMENT, "a request line does not begin with its request_id");
  }
  const std::size_t quote = line.find_first_not_of(' ', head.size());
  if (quote == std::string_view::npos || line[quote] != '"') {
    throw Error(PSW_E_INVALID_ARGUMENT, "a request_id is not a string");
  }
  std::string id = JsonStringReader(line, quote + 1).read();
  if (id.empty()) throw Error(PSW_E_INVALID_ARGUMENT, "an empty request_id");
  return id;
}

// All ids of the file, in order. Throws when two are equal or the count is not the announced one.
inline std::vector<std::string> read_ids(const std::string& path, std::uint64_t expected,
                                         std::uint64_t max_request_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(PSW_E_INVALID_ARGUMENT, "cannot open the requests file " + path);
  std::vector<std::string> ids;
  std::unordered_set<std::string> seen;
  for (std::string line; std::getline(in, line);) {
    const std::string number = std::to_string(ids.size() + 1);
    if (max_request_bytes != 0 && line.size() > max_request_bytes) {
      throw Error(PSW_E_TOO_LARGE, "the request on line " + number + " is too large");
    }
    ids.push_back(request_id_of(line));
    if (!seen.insert(ids.back()).second) {
      throw Error(PSW_E_INVALID_ARGUMENT, "the request_id on line " + number + " is not unique");
    }
  }
  if (ids.size() != expected) {
    throw Error(PSW_E_INVALID_ARGUMENT, "request_count does not match the requests file");
  }
  return ids;
}

}  // namespace detail

// ---- host services ---------------------------------------------------------------------------

// A copyable view of the host's table. Valid, from any thread, until the author's class is
// destroyed.
class Host {
 public:
  explicit Host(const psw_host_api* api) : api_(api) {}

  void log(std::int32_t level, std::string_view message, psw_job job = PSW_NO_JOB) const noexcept {
    if (!PSW_HAS_FN(api_, psw_host_api, log)) return;
    const psw_str text = to_str(message);
    api_->log(api_->self, job, level, &text, nullptr);
  }
  // During the constructor (PSW_NO_JOB): the host wants out, throw Error(PSW_E_CANCELLED, ...).
  bool should_stop(psw_job job = PSW_NO_JOB) const noexcept {
    return PSW_HAS_FN(api_, psw_host_api, should_stop) && api_->should_stop(api_->self, job) != 0;
  }
  void progress(std::uint64_t done, std::uint64_t total, std::string_view stage,
                psw_job job = PSW_NO_JOB) const noexcept {
    if (!PSW_HAS_FN(api_, psw_host_api, progress)) return;
    const psw_str text = to_str(stage);
    api_->progress(api_->self, job, done, total, &text);
  }
  void mark(psw_job job, std::uint64_t request_index, std::int32_t what) const noexcept {
    if (PSW_HAS_FN(api_, psw_host_api, mark)) api_->mark(api_->self, job, request_index, what);
  }
  // Durable when it returns. At most 64 KiB.
  void checkpoint(psw_job job, std::string_view token) const {
    if (!PSW_HAS_FN(api_, psw_host_api, checkpoint_put)) return;
    const psw_str text = to_str(token);
    const psw_status status = api_->checkpoint_put(api_->self, job, &text);
    if (status != PSW_OK) throw Error(status, "the host refused a checkpoint");
  }
  // Only names that the descriptor lists. Ask at the time of use and do not keep the value.
  std::string secret(std::string_view name) const {
    if (!PSW_HAS_FN(api_, psw_host_api, secret_get)) {
      throw Error(PSW_E_UNSUPPORTED, "this host has no secrets");
    }
    return get(api_->secret_get, name, "the secret ");
  }
  // "dir.scratch", "dir.cache", "net.proxy", "net.ca_bundle", "create.purpose" (run or check).
  std::string param(std::string_view key) const {
    if (!PSW_HAS_FN(api_, psw_host_api, param_get)) {
      throw Error(PSW_E_UNSUPPORTED, "this host has no parameters");
    }
    return get(api_->param_get, key, "the parameter ");
  }

 private:
  template <class Get>
  std::string get(Get getter, std::string_view name, const char* what) const {
    const psw_str key = to_str(name);
    std::string buffer(256, '\0');
    for (int round = 0; round < 2; ++round) {
      psw_out out{buffer.data(), buffer.size(), 0};
      const psw_status status = getter(api_->self, &key, &out);
      if (status != PSW_OK) throw Error(status, what + std::string(name) + " is not available");
      const bool whole = out.len <= buffer.size();
      buffer.resize(static_cast<std::size_t>(out.len));
      if (whole) return buffer;
    }
    throw Error(PSW_E_INTERNAL, what + std::string(name) + " changed its size");
  }

  const psw_host_api* api_;
};

// ---- a job -----------------------------------------------------------------------------------

namespace detail {

struct Record {
  std::uint64_t index = 0;
  std::int32_t outcome = 0;
  psw_status code = PSW_OK;
  std::string body;
  Usage usage;
  Times times;
};

enum class RequestState : unsigned char { waiting, begun, answered };

// What run(), an engine's thread, poll and fetch share. Lives as long as somebody holds a Job.
struct JobState {
  explicit JobState(Host h) : host(h) {}

  // Constant after submit.
  Host host;
  psw_job id = PSW_NO_JOB;
  std::string path, key, resume;
  bool attach_only = false;
  std::int64_t deadline_unix_ms = 0;
  std::vector<std::string> ids;

  std::atomic<bool> cancelled{false};
  std::atomic<bool> leaving{false};
  std::atomic<bool> left_open{false};

  std::mutex file_mutex;  // guards the two below; taken before `mutex`, never while holding it
  std::ifstream file;
  std::uint64_t next_index = 0;

  std::mutex mutex;  // guards everything below; held for moments only, so that poll never waits
  std::condition_variable changed;
  std::vector<RequestState> states;
  std::vector<std::int64_t> begun_us;
  std::deque<Record> ready;
  std::int32_t state = PSW_JOB_QUEUED;
  std::uint64_t revision = 1, done = 0, failed = 0, done_remotely = 0;
  std::int32_t ended_as = 0;  // what a provider made of the job: cancelled or expired; 0: nothing
  Usage used;
  psw_status failure = PSW_OK;
  std::uint32_t flags = 0;
  std::string stage;

  bool is_terminal() const { return state >= PSW_JOB_SUCCEEDED; }
};

inline bool is_failure(std::int32_t outcome) noexcept { return outcome > PSW_OUTCOME_FILTERED; }

}  // namespace detail

// A shared handle of one job: copy it into an engine's queue and answer from the engine's thread.
// Every method may be called from any thread. A handle must not outlive the author's class.
class Job {
 public:
  psw_job id() const { return s_->id; }
  std::uint64_t size() const { return s_->ids.size(); }
  const std::string& idempotency_key() const { return s_->key; }
  const std::string& resume_token() const { return s_->resume; }
  std::int64_t deadline_unix_ms() const { return s_->deadline_unix_ms; }
  // Find the remote job that carries idempotency_key(), never create one. Throw
  // Error(PSW_E_NOT_FOUND, ...) from run() when there is none: the job then fails without records.
  bool attach_only() const { return s_->attach_only; }

  // The next request, marked as begun: for authors who work on it now. False at the end.
  bool next(Request& request) const {
    if (!read(request)) return false;
    begin(request);
    return true;
  }
  // The next request, not begun: for authors who put it into a queue. False at the end.
  bool read(Request& request) const {
    std::lock_guard<std::mutex> lock(s_->file_mutex);
    if (s_->next_index >= s_->ids.size()) return false;
    if (!std::getline(s_->file, request.line)) {
      throw Error(PSW_E_RESOURCE, "the requests file became unreadable");
    }
    request.index = s_->next_index++;
    request.request_id = s_->ids[static_cast<std::size_t>(request.index)];
    return true;
  }
  // Work on this request starts now. Begun and unanswered requests are the suspects when the
  // process dies.
  void begin(const Request& request) const {
    const std::size_t at = static_cast<std::size_t>(request.index);
    {
      std::lock_guard<std::mutex> lock(s_->mutex);
      if (at >= s_->states.size() || s_->states[at] != detail::RequestState::waiting) return;
      s_->states[at] = detail::RequestState::begun;
      s_->begun_us[at] = unix_us_now();
    }
    s_->host.mark(s_->id, request.index, PSW_MARK_BEGIN);
  }

  // An answer of the model: body_json follows response.schema.json, one line; outcome is
  // PSW_OUTCOME_OK, _TRUNCATED or _FILTERED. False: the request has its record already (the job was
  // cancelled, or it was answered before); the answer is dropped.
  bool deliver(const Request& request, std::string body_json, std::int32_t outcome = PSW_OUTCOME_OK,
               Usage usage = {}, Times times = {}) const {
    return add({request.index, outcome, PSW_OK, std::move(body_json), usage, times});
  }
  // No answer. error_json is one JSON object with a member "error" (see error_body). Returns as
  // deliver does.
  bool fail(const Request& request, std::int32_t outcome, psw_status code, std::string error_json,
            Usage usage = {}, Times times = {}) const {
    return add({request.index, outcome, code, std::move(error_json), usage, times});
  }
  bool fail(const Request& request, const Error& error) const {
    return fail(request, outcome_of(error.code), error.code, error_body(error.text));
  }

  // Cancelled, or the host wants out: answer what is finished and return from run(). Cheap enough
  // for every decode step.
  bool stopping() const {
    return s_->cancelled.load(std::memory_order_relaxed) || s_->host.should_stop(s_->id);
  }
  // The instance ends, and nobody cancelled the job: a remote job is left alone, so that a later
  // instance can attach to it.
  bool leaving() const { return s_->leaving.load(std::memory_order_relaxed); }
  // Waits until every request is answered (true) or the job shall stop (false). This is how run()
  // ends when an engine's thread answers.
  bool wait_answered() const {
    std::unique_lock<std::mutex> lock(s_->mutex);
    while (s_->done < s_->ids.size()) {
      if (stopping()) return false;
      s_->changed.wait_for(lock, std::chrono::milliseconds(20));  // host.should_stop has no signal
    }
    return true;
  }
  // Sleeps. True: stop now.
  bool sleep(std::uint32_t ms) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    std::unique_lock<std::mutex> lock(s_->mutex);
    for (;;) {
      if (stopping()) return true;
      const auto now = std::chrono::steady_clock::now();
      if (now >= end) return false;
      const auto slice = now + std::chrono::milliseconds(20);
      s_->changed.wait_until(lock, slice < end ? slice : end);
    }
  }

  // One line for people.
  void stage(std::string text) const {
    std::lock_guard<std::mutex> lock(s_->mutex);
    s_->stage = std::move(text);
    s_->revision++;
  }
  // How many requests a provider has finished whose results are not here yet.
  void progress(std::uint64_t done) const {
    std::lock_guard<std::mutex> lock(s_->mutex);
    if (done > s_->ids.size()) done = s_->ids.size();
    if (done <= s_->done_remotely) return;
    s_->done_remotely = done;
    s_->revision++;
  }
  // The provider ended the job: PSW_JOB_CANCELLED or PSW_JOB_EXPIRED. Deliver what it had finished
  // and return from run(); the rest gets records of that outcome.
  void provider_ended(std::int32_t state) const {
    std::lock_guard<std::mutex> lock(s_->mutex);
    if (state == PSW_JOB_CANCELLED || state == PSW_JOB_EXPIRED) s_->ended_as = state;
  }
  // The provider may have the job, and cannot be asked. Throw Error(PSW_E_UNAVAILABLE, ...) from
  // run() after it: the job fails, what is unanswered gets no record, and the host looks the job up
  // again instead of offering its requests anew.
  void leave_open() const { s_->left_open.store(true, std::memory_order_relaxed); }
  // The job has ended and the host has taken every record of it.
  bool all_taken() const {
    std::lock_guard<std::mutex> lock(s_->mutex);
    return s_->is_terminal() && s_->ready.empty();
  }
  // After cancel the provider may go on and bill.
  void set_remote_may_continue() const {
    std::lock_guard<std::mutex> lock(s_->mutex);
    s_->flags |= std::uint32_t(PSW_JOBF_REMOTE_MAY_CONTINUE);
    s_->revision++;
  }
  // Durable when it returns; comes back as resume_token() of a later incarnation.
  void checkpoint(std::string_view token) const { s_->host.checkpoint(s_->id, token); }
  void log(std::int32_t level, std::string_view message) const {
    s_->host.log(level, message, s_->id);
  }

 private:
  template <class, const psw_descriptor&>
  friend class Plugin;

  explicit Job(std::shared_ptr<detail::JobState> state) : s_(std::move(state)) {}

  bool add(detail::Record record) const {
    const std::size_t at = static_cast<std::size_t>(record.index);
    bool was_begun = false;
    {
      std::lock_guard<std::mutex> lock(s_->mutex);
      if (at >= s_->states.size() || s_->is_terminal()) return false;
      if (s_->states[at] == detail::RequestState::answered) return false;
      was_begun = s_->states[at] == detail::RequestState::begun;
      if (record.times.started_unix_us == 0) record.times.started_unix_us = s_->begun_us[at];
      if (record.times.finished_unix_us == 0) record.times.finished_unix_us = unix_us_now();
      if (record.times.attempts == 0) record.times.attempts = 1;
      // The queue first: if it cannot grow, nothing has changed.
      const bool failed = detail::is_failure(record.outcome);
      const Usage usage = record.usage;
      s_->ready.push_back(std::move(record));
      s_->states[at] = detail::RequestState::answered;
      s_->done++;
      if (failed) s_->failed++;
      s_->used.prompt_tokens += usage.prompt_tokens;
      s_->used.completion_tokens += usage.completion_tokens;
      s_->revision++;
    }
    s_->changed.notify_all();
    if (was_begun) s_->host.mark(s_->id, at, PSW_MARK_END);
    return true;
  }

  std::shared_ptr<detail::JobState> s_;
};

// ---- optional members of the author's class --------------------------------------------------

namespace detail {

template <class T, class = void>
struct has_identity : std::false_type {};
template <class T>
struct has_identity<T, std::void_t<decltype(std::string(std::declval<T&>().identity()))>>
    : std::true_type {};

template <class T, class = void>
struct has_tokenize : std::false_type {};
template <class T>
struct has_tokenize<
    T, std::void_t<decltype(std::uint64_t(std::declval<T&>().count_tokens(std::string_view())))>>
    : std::true_type {};

template <class T, class = void>
struct has_estimate : std::false_type {};
template <class T>
struct has_estimate<T, std::void_t<decltype(Resources(T::estimate(std::string_view())))>>
    : std::true_type {};

template <class T, class = void>
struct has_init : std::false_type {};
template <class T>
struct has_init<T, std::void_t<decltype(T::init_library(std::string_view()))>> : std::true_type {};

template <class T, class = void>
struct has_deinit : std::false_type {};
template <class T>
struct has_deinit<T, std::void_t<decltype(T::deinit_library())>> : std::true_type {};

template <class T, class = void>
struct attaches : std::false_type {};
template <class T>
struct attaches<T, std::enable_if_t<T::attaches>> : std::true_type {};

}  // namespace detail

// ---- the table -------------------------------------------------------------------------------

template <class Impl, const psw_descriptor& descriptor>
class Plugin {
 public:
  static const psw_descriptor* describe() noexcept { return &descriptor; }

  // Counted: only the first init and the last deinit reach the author.
  static psw_status init(const psw_str* library_dir, psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      std::lock_guard<std::mutex> lock(library_mutex_);
      if constexpr (detail::has_init<Impl>::value) {
        if (library_users_ == 0) {
          Impl::init_library(library_dir ? view(*library_dir) : std::string_view());
        }
      }
      ++library_users_;
    });
  }
  static void deinit() noexcept {
    detail::guarded(nullptr, [] {
      std::lock_guard<std::mutex> lock(library_mutex_);
      if (library_users_ == 0 || --library_users_ != 0) return;
      if constexpr (detail::has_deinit<Impl>::value) Impl::deinit_library();
    });
  }

  static psw_status validate_config(const psw_str* config_json, psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      if (!config_json) throw Error(PSW_E_INVALID_ARGUMENT, "validate_config: no configuration");
      Impl::validate(view(*config_json));
    });
  }

  static psw_status create(const psw_create_args* args, psw_backend** out,
                           psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      if (!args || !out || !PSW_HAS(args, psw_create_args, config_json) || !args->host) {
        throw Error(PSW_E_INVALID_ARGUMENT, "create: missing argument");
      }
      *out = nullptr;
      Impl::validate(view(args->config_json));
      // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): guarded() handles it
      *out = reinterpret_cast<psw_backend*>(new Plugin(args->host, view(args->config_json)));
    });
  }
  static void destroy(psw_backend* backend) noexcept { delete self(backend); }

  static psw_status submit(psw_backend* backend, const psw_submit_args* args,
                           psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      if (!args || !PSW_HAS(args, psw_submit_args, request_bytes) || args->job == PSW_NO_JOB) {
        throw Error(PSW_E_INVALID_ARGUMENT, "submit: missing argument");
      }
      self(backend)->start(*args);
    });
  }

  static psw_status poll(psw_backend* backend, psw_job id, psw_job_status* out,
                         psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      if (!out) throw Error(PSW_E_INVALID_ARGUMENT, "poll: no place for the status");
      const auto s = self(backend)->find(id);
      std::lock_guard<std::mutex> lock(s->mutex);
      fill(*s, out);
    });
  }

  static psw_status fetch(psw_backend* backend, const psw_fetch_args* args,
                          psw_fetch_result* result, psw_error* error) noexcept {
    psw_status refused = PSW_OK;
    const psw_status status = detail::guarded(error, [&] {
      // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of the member, which is a pointer
      if (!args || !PSW_HAS(args, psw_fetch_args, sink) || !args->sink ||
          !PSW_HAS_FN(args->sink, psw_sink, emit)) {
        throw Error(PSW_E_INVALID_ARGUMENT, "fetch: missing argument");
      }
      const auto s = self(backend)->find(args->job);
      const std::uint64_t emitted = emit_ready(*s, *args, refused, error);
      if (!result) return;
      std::lock_guard<std::mutex> lock(s->mutex);
      PSW_SET(result, psw_fetch_result, emitted, emitted);
      PSW_SET(result, psw_fetch_result, more, may_fetch(*s) && !s->ready.empty() ? 1u : 0u);
    });
    return status != PSW_OK ? status : refused;
  }

  static psw_status cancel(psw_backend* backend, psw_job id, psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      const auto s = self(backend)->find(id);
      request_stop(*s);
    });
  }

  static psw_status close(psw_backend* backend, psw_job id, psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      Plugin* plugin = self(backend);
      std::thread thread;
      {
        std::lock_guard<std::mutex> lock(plugin->jobs_mutex_);
        const auto found = plugin->jobs_.find(id);
        if (found == plugin->jobs_.end()) throw Error(PSW_E_NOT_FOUND, "no such job");
        {
          std::lock_guard<std::mutex> job_lock(found->second.state->mutex);
          if (!found->second.state->is_terminal()) {
            throw Error(PSW_E_STATE, "the job is not finished");
          }
        }
        thread = std::move(found->second.thread);
        plugin->jobs_.erase(found);
      }
      thread.join();  // a terminal job's thread has nothing left to do
    });
  }

  static const void* get_extension(psw_backend*, const char* id) noexcept {
    if (!id) return nullptr;
    const std::string_view name(id);
    if constexpr (detail::has_identity<Impl>::value) {
      if (name == PSW_EXT_IDENTITY) return &identity_table_;
    }
    if constexpr (detail::has_tokenize<Impl>::value) {
      if (name == PSW_EXT_TOKENIZE) return &tokenize_table_;
    }
    if constexpr (detail::has_estimate<Impl>::value) {
      if (name == PSW_EXT_RESOURCES) return &resources_table_;
    }
    return nullptr;
  }

 private:
  struct Running {
    std::shared_ptr<detail::JobState> state;
    std::thread thread;
  };

  Plugin(const psw_host_api* host, std::string_view config)
      : host_(host), impl_(std::make_unique<Impl>(host_, config)) {}

  // Jobs first, the author's class last: run() may still use it until its thread is joined.
  ~Plugin() {
    for (auto& entry : jobs_) {
      detail::JobState& s = *entry.second.state;
      if (!s.cancelled.load(std::memory_order_relaxed)) s.leaving = true;
      request_stop(s);
    }
    for (auto& entry : jobs_) entry.second.thread.join();
    impl_.reset();
  }

  static Plugin* self(psw_backend* backend) { return reinterpret_cast<Plugin*>(backend); }

  std::shared_ptr<detail::JobState> find(psw_job id) {
    std::lock_guard<std::mutex> lock(jobs_mutex_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) throw Error(PSW_E_NOT_FOUND, "no such job");
    return found->second.state;
  }

  static void request_stop(detail::JobState& s) {
    {
      // Under the lock, so that a waiter cannot check the flag and then miss the signal.
      std::lock_guard<std::mutex> lock(s.mutex);
      s.cancelled.store(true, std::memory_order_relaxed);
    }
    s.changed.notify_all();
  }

  void start(const psw_submit_args& args) {
    auto s = std::make_shared<detail::JobState>(host_);
    s->id = args.job;
    s->path = std::string(view(args.requests_path));
    s->attach_only = (args.flags & std::uint32_t(PSW_SUBMIT_ATTACH_ONLY)) != 0;
    if (PSW_HAS(&args, psw_submit_args, idempotency_key)) s->key = view(args.idempotency_key);
    if (PSW_HAS(&args, psw_submit_args, resume_token)) s->resume = view(args.resume_token);
    if (PSW_HAS(&args, psw_submit_args, deadline_unix_ms)) {
      s->deadline_unix_ms = args.deadline_unix_ms;
    }
    refuse_twins(*s);
    if (s->attach_only && !detail::attaches<Impl>::value) {
      throw Error(PSW_E_NOT_FOUND, "no job carries this key: jobs of this backend end with it");
    }
    check_limits(args);
    s->ids = detail::read_ids(s->path, args.request_count, descriptor.limits->max_request_bytes);
    s->states.assign(s->ids.size(), detail::RequestState::waiting);
    s->begun_us.assign(s->ids.size(), 0);
    s->file.open(s->path, std::ios::binary);

    std::lock_guard<std::mutex> lock(jobs_mutex_);
    Running& running = jobs_[args.job];
    running.state = s;
    try {
      running.thread = std::thread([this, s] { work(s); });
    } catch (...) {
      jobs_.erase(args.job);
      throw Error(PSW_E_RESOURCE, "cannot start a thread for the job");
    }
  }

  void refuse_twins(const detail::JobState& s) {
    std::lock_guard<std::mutex> lock(jobs_mutex_);
    if (jobs_.count(s.id) != 0) throw Error(PSW_E_STATE, "the job id is in use");
    for (const auto& entry : jobs_) {
      if (!s.key.empty() && entry.second.state->key == s.key) {
        throw Error(PSW_E_STATE, "a job with this idempotency_key is open here");
      }
    }
  }

  static void check_limits(const psw_submit_args& args) {
    const psw_limits& limits = *descriptor.limits;
    if (limits.max_requests_per_job != 0 && args.request_count > limits.max_requests_per_job) {
      throw Error(PSW_E_TOO_LARGE, "the job has more requests than this backend takes");
    }
    if (limits.max_job_bytes != 0 && args.request_bytes > limits.max_job_bytes) {
      throw Error(PSW_E_TOO_LARGE, "the job has more bytes than this backend takes");
    }
  }

  static void set_state(detail::JobState& s, std::int32_t state, psw_status failure = PSW_OK) {
    {
      std::lock_guard<std::mutex> lock(s.mutex);
      s.state = state;
      s.failure = failure;
      s.revision++;
    }
    s.changed.notify_all();
  }

  void work(const std::shared_ptr<detail::JobState>& s) noexcept {
    psw_status failure = PSW_OK;
    std::string why = "the backend returned no result";
    Job job(s);
    set_state(*s, PSW_JOB_RUNNING);
    detail::catching([&] { impl_->run(job); },
                     [&](const Error& e) {
                       failure = e.code;
                       why = e.text;
                     });
    const bool stopped = job.stopping();
    const bool unfinished = begin_finalizing(*s);
    const std::int32_t ended_as = ended_of(*s, stopped);
    const bool absent = s->attach_only && failure == PSW_E_NOT_FOUND;
    const bool left_open = failure != PSW_OK && s->left_open.load(std::memory_order_relaxed);
    if (!absent && !left_open) {
      detail::catching([&] { answer_leftovers(job, ended_as, failure, why); },
                       [&](const Error& e) {
                         failure = e.code;
                         why = e.text;
                       });
    }
    if (failure != PSW_OK && !absent) job.log(PSW_LOG_ERROR, why);
    if (ended_as == PSW_JOB_EXPIRED) {
      set_state(*s, PSW_JOB_EXPIRED, PSW_E_TIMEOUT);
    } else if (ended_as != 0 && unfinished) {
      set_state(*s, PSW_JOB_CANCELLED, PSW_E_CANCELLED);
    } else {
      set_state(*s, failure != PSW_OK ? PSW_JOB_FAILED : PSW_JOB_SUCCEEDED, failure);
    }
  }

  // True: run() left requests unanswered.
  static bool begin_finalizing(detail::JobState& s) {
    set_state(s, PSW_JOB_FINALIZING);
    std::lock_guard<std::mutex> lock(s.mutex);
    return s.done < s.ids.size();
  }

  static std::int32_t ended_of(detail::JobState& s, bool stopped) {
    std::lock_guard<std::mutex> lock(s.mutex);
    return s.ended_as == 0 && stopped ? std::int32_t(PSW_JOB_CANCELLED) : s.ended_as;
  }

  // Exactly one record a request: whatever run() left unanswered gets its record here.
  static void answer_leftovers(const Job& job, std::int32_t ended_as, psw_status failure,
                               const std::string& why) {
    Request request;
    for (std::uint64_t i = 0; i < job.size(); ++i) {
      request.index = i;
      if (ended_as == PSW_JOB_EXPIRED) {
        job.fail(request, PSW_OUTCOME_EXPIRED, PSW_E_TIMEOUT,
                 error_body("the provider gave the job up before it finished"));
      } else if (ended_as != 0) {
        job.fail(request, PSW_OUTCOME_CANCELLED, PSW_E_CANCELLED,
                 error_body("cancelled before it finished"));
      } else {
        const psw_status code = failure != PSW_OK ? failure : psw_status(PSW_E_DATA);
        job.fail(request, PSW_OUTCOME_ERROR_BACKEND, code, error_body(why));
      }
    }
  }

  static void fill(const detail::JobState& s, psw_job_status* out) {
    PSW_SET(out, psw_job_status, state, s.state);
    PSW_SET(out, psw_job_status, revision, s.revision);
    PSW_SET(out, psw_job_status, requests_total, s.ids.size());
    PSW_SET(out, psw_job_status, requests_done,
            s.done > s.done_remotely ? s.done : s.done_remotely);
    PSW_SET(out, psw_job_status, requests_failed, s.failed);
    PSW_SET(out, psw_job_status, records_ready, s.ready.size());
    PSW_SET(out, psw_job_status, prompt_tokens, s.used.prompt_tokens);
    PSW_SET(out, psw_job_status, completion_tokens, s.used.completion_tokens);
    PSW_SET(out, psw_job_status, eta_ms, std::int64_t(-1));
    PSW_SET(out, psw_job_status, next_poll_ms, descriptor.limits->min_poll_ms);
    PSW_SET(out, psw_job_status, flags, s.flags);
    PSW_SET(out, psw_job_status, failure, s.failure);
    if (PSW_HAS(out, psw_job_status, stage)) detail::put(out->stage, s.stage);
  }

  static bool may_fetch(const detail::JobState& s) {
    const bool partial = (descriptor.capabilities & std::uint64_t(PSW_CAP_PARTIAL_FETCH)) != 0;
    return partial || s.is_terminal();
  }

  static std::uint64_t emit_ready(detail::JobState& s, const psw_fetch_args& args,
                                  psw_status& refused, psw_error* error) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(args.budget_ms);
    {
      // A first record is worth waiting for; later ones are taken as they lie there.
      std::unique_lock<std::mutex> lock(s.mutex);
      s.changed.wait_until(lock, end, [&] {
        return args.max_records == 0 || s.is_terminal() || (may_fetch(s) && !s.ready.empty());
      });
    }
    std::uint64_t emitted = 0;
    while (emitted < args.max_records) {
      detail::Record record;
      {
        std::lock_guard<std::mutex> lock(s.mutex);
        if (!may_fetch(s) || s.ready.empty()) break;
        record = std::move(s.ready.front());
        s.ready.pop_front();
        s.revision++;
      }
      refused = emit(s, record, *args.sink, error);
      if (refused != PSW_OK) {
        std::lock_guard<std::mutex> lock(s.mutex);
        s.ready.push_front(std::move(record));
        break;
      }
      ++emitted;
      if (std::chrono::steady_clock::now() >= end) break;
    }
    return emitted;
  }

  static psw_status emit(const detail::JobState& s, const detail::Record& record,
                         const psw_sink& sink, psw_error* error) {
    psw_record out{};
    out.struct_size = std::uint32_t(sizeof out);
    out.outcome = record.outcome;
    out.request_index = record.index;
    out.request_id = to_str(s.ids[static_cast<std::size_t>(record.index)]);
    out.body_json = to_str(record.body);
    out.error_code = record.code;
    out.prompt_tokens = record.usage.prompt_tokens;
    out.completion_tokens = record.usage.completion_tokens;
    out.started_unix_us = record.times.started_unix_us;
    out.finished_unix_us = record.times.finished_unix_us;
    out.attempts = record.times.attempts;
    return sink.emit(sink.self, &out, error);
  }

  // The extension tables' functions. They are only instantiated where the author has the member.
  static psw_status get_identity(psw_backend* backend, psw_out* out, psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      const std::string json = self(backend)->impl_->identity();
      if (!out) throw Error(PSW_E_INVALID_ARGUMENT, "identity: no place for the answer");
      detail::put(*out, json);
    });
  }
  static psw_status count_tokens(psw_backend* backend, const psw_str* request_json,
                                 std::uint64_t* tokens, psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      if (!request_json || !tokens) {
        throw Error(PSW_E_INVALID_ARGUMENT, "tokenize: missing argument");
      }
      *tokens = self(backend)->impl_->count_tokens(view(*request_json));
    });
  }
  static psw_status estimate(const psw_str* config_json, psw_resources* out,
                             psw_error* error) noexcept {
    return detail::guarded(error, [&] {
      if (!config_json || !out) {
        throw Error(PSW_E_INVALID_ARGUMENT, "resources: missing argument");
      }
      const Resources need = Impl::estimate(view(*config_json));
      PSW_SET(out, psw_resources, ram_bytes, need.ram_bytes);
      PSW_SET(out, psw_resources, vram_bytes, need.vram_bytes);
      if (PSW_HAS(out, psw_resources, basis)) detail::put(out->basis, need.basis);
    });
  }

  static constexpr psw_identity_api identity_table_ = {sizeof(psw_identity_api), 0, get_identity};
  static constexpr psw_tokenize_api tokenize_table_ = {sizeof(psw_tokenize_api), 0, count_tokens};
  static constexpr psw_resources_api resources_table_ = {sizeof(psw_resources_api), 0, estimate};

  static inline std::mutex library_mutex_;  // guards library_users_
  static inline unsigned library_users_ = 0;

  Host host_;
  std::unique_ptr<Impl> impl_;
  std::mutex jobs_mutex_;  // guards jobs_; taken before a job's mutex
  std::unordered_map<psw_job, Running> jobs_;
};

}  // namespace sdk_1_0
}  // namespace psw

// A psw_str of a string literal.
#define PSW_LIT(s) \
  { s, sizeof(s) - 1 }

// Once in a plugin, outside any namespace. `descriptor`: a const psw_descriptor at namespace scope
// whose `limits` is not null.
#define PSW_DEFINE_PLUGIN(Impl, descriptor)                                    \
  extern "C" PSW_EXPORT const psw_plugin_api* psw_plugin_v1(void) noexcept {   \
    using plugin = psw::Plugin<Impl, descriptor>;                              \
    static const psw_plugin_api table = {                                      \
        sizeof(psw_plugin_api), PSW_TARGET_MINOR,     plugin::describe,        \
        plugin::init,           plugin::deinit,       plugin::validate_config, \
        plugin::create,         plugin::destroy,      plugin::submit,          \
        plugin::poll,           plugin::fetch,        plugin::cancel,          \
        plugin::close,          plugin::get_extension};                        \
    return &table;                                                             \
  }

#endif
