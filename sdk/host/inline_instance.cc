// SPDX-License-Identifier: Apache-2.0
#include "host/inline_instance.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace promptsweep::host {
namespace {

constexpr std::size_t stage_capacity = 512;
constexpr std::size_t max_checkpoint_bytes = 64u << 10;

// The host's table of one instance. Nothing may leave it by exception.
class HostTable {
 public:
  explicit HostTable(Services services) : services_(std::move(services)) {
    api_.struct_size = sizeof api_;
    api_.abi_minor = PSW_ABI_MINOR;
    api_.self = reinterpret_cast<psw_host*>(this);
    api_.name = to_str("promptsweep");
    api_.version = to_str("1");
    api_.log = log;
    api_.should_stop = should_stop;
    api_.wait_stop = wait_stop;
    api_.progress = progress;
    api_.mark = mark;
    api_.secret_get = secret_get;
    api_.param_get = param_get;
    api_.checkpoint_put = checkpoint_put;
    api_.get_service = get_service;
  }
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;
  const psw_host_api* api() const { return &api_; }

 private:
  static const Services& services(psw_host* h) {
    return reinterpret_cast<const HostTable*>(h)->services_;
  }
  static void log(psw_host* h, psw_job job, int32_t level, const psw_str* message,
                  const psw_str*) noexcept {
    if (services(h).log && message) services(h).log(job, level, view_of(*message));
  }
  static int32_t should_stop(psw_host* h, psw_job) noexcept {
    return services(h).should_stop && services(h).should_stop() ? 1 : 0;
  }
  static int32_t wait_stop(psw_host* h, psw_job job, uint32_t ms) noexcept {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds(ms);
    constexpr auto slice = std::chrono::milliseconds(10);
    while (!should_stop(h, job)) {
      const auto now = Clock::now();
      if (now >= end) return 0;
      std::this_thread::sleep_until(std::min(end, now + slice));
    }
    return 1;
  }
  static void progress(psw_host* h, psw_job job, uint64_t done, uint64_t total,
                       const psw_str* stage) noexcept {
    if (services(h).progress) {
      services(h).progress(job, done, total, stage ? view_of(*stage) : std::string_view());
    }
  }
  static void mark(psw_host* h, psw_job job, uint64_t index, int32_t what) noexcept {
    if (services(h).mark) services(h).mark(job, index, what);
  }
  template <class Getter>
  static psw_status get(const Getter& getter, const psw_str* key, psw_out* out) noexcept {
    if (!key || !out) return PSW_E_INVALID_ARGUMENT;
    const std::optional<std::string> value = getter ? getter(view_of(*key)) : std::nullopt;
    if (!value) return PSW_E_NOT_FOUND;
    const std::size_t n = std::min<std::size_t>(value->size(), static_cast<std::size_t>(out->cap));
    if (n != 0) std::memcpy(out->data, value->data(), n);
    out->len = value->size();
    return PSW_OK;
  }
  static psw_status secret_get(psw_host* h, const psw_str* name, psw_out* out) noexcept {
    return get(services(h).secret, name, out);
  }
  static psw_status param_get(psw_host* h, const psw_str* key, psw_out* out) noexcept {
    return get(services(h).param, key, out);
  }
  static psw_status checkpoint_put(psw_host* h, psw_job job, const psw_str* token) noexcept {
    if (!token) return PSW_E_INVALID_ARGUMENT;
    if (token->len > max_checkpoint_bytes) return PSW_E_TOO_LARGE;
    if (!services(h).checkpoint) return PSW_E_UNSUPPORTED;
    return services(h).checkpoint(job, view_of(*token));
  }
  static const void* get_service(psw_host*, const char*) noexcept { return nullptr; }

  Services services_;
  psw_host_api api_{};
};

// A psw_sink over a Sink: remembers why the last record was not taken.
class SinkTable {
 public:
  explicit SinkTable(const Sink& sink) : sink_(sink) {
    table_.struct_size = sizeof table_;
    table_.self = this;
    table_.emit = emit;
    table_.blob_open = blob_open;
    table_.blob_write = blob_write;
    table_.blob_commit = blob_commit;
    table_.blob_abort = blob_abort;
  }
  SinkTable(const SinkTable&) = delete;
  SinkTable& operator=(const SinkTable&) = delete;
  const psw_sink* get() const { return &table_; }
  const CallStatus& refusal() const { return refusal_; }

 private:
  static psw_status emit(void* self, const psw_record* r, psw_error*) noexcept {
    auto& table = *static_cast<SinkTable*>(self);
    if (!r || !PSW_HAS(r, psw_record, body_json)) return PSW_E_INVALID_ARGUMENT;
    Record record;
    record.outcome = r->outcome;
    record.request_index = r->request_index;
    record.request_id = view_of(r->request_id);
    record.body_json = view_of(r->body_json);
#define TAKE(field) \
  if (PSW_HAS(r, psw_record, field)) record.field = r->field
    TAKE(error_code);
    TAKE(prompt_tokens);
    TAKE(completion_tokens);
    TAKE(started_unix_us);
    TAKE(finished_unix_us);
    TAKE(attempts);
#undef TAKE
    if (record.attempts == 0) record.attempts = 1;
    table.refusal_ = table.sink_(record);
    return table.refusal_.code;
  }
  // Side files have no user yet; a plugin must do without them.
  static psw_status blob_open(void*, const psw_str*, uint64_t*, psw_error*) noexcept {
    return PSW_E_UNSUPPORTED;
  }
  static psw_status blob_write(void*, uint64_t, const void*, uint64_t, psw_error*) noexcept {
    return PSW_E_UNSUPPORTED;
  }
  static psw_status blob_commit(void*, uint64_t, psw_error*) noexcept { return PSW_E_UNSUPPORTED; }
  static void blob_abort(void*, uint64_t) noexcept {}

  const Sink& sink_;
  CallStatus refusal_;
  psw_sink table_{};
};

class InlineInstance : public Instance {
 public:
  InlineInstance(const psw_plugin_api& api, Services services)
      : api_(api), host_(std::move(services)) {}
  ~InlineInstance() override {
    if (backend_ != nullptr) api_.destroy(backend_);
  }

  CallStatus create(std::string_view config_json) {
    psw_create_args args{};
    args.struct_size = sizeof args;
    args.host = host_.api();
    args.config_json = to_str(config_json);
    return call([&](psw_error* e) { return api_.create(&args, &backend_, e); });
  }

  CallStatus submit(const JobArgs& a) override {
    psw_submit_args args{};
    args.struct_size = sizeof args;
    args.flags = a.flags;
    args.job = a.job;
    args.requests_path = to_str(a.requests_path);
    args.request_count = a.request_count;
    args.request_bytes = a.request_bytes;
    args.requests_sha256 = to_str(a.requests_sha256);
    args.idempotency_key = to_str(a.idempotency_key);
    args.resume_token = to_str(a.resume_token);
    return call([&](psw_error* e) { return api_.submit(backend_, &args, e); });
  }

  CallStatus poll(psw_job job, JobView& out) override {
    char stage[stage_capacity];
    psw_job_status s{};
    s.struct_size = sizeof s;
    s.eta_ms = -1;
    s.stage = {stage, sizeof stage, 0};
    CallStatus status = call([&](psw_error* e) { return api_.poll(backend_, job, &s, e); });
    if (!status) return status;
    out.state = s.state;
    out.revision = s.revision;
    out.total = s.requests_total;
    out.done = s.requests_done;
    out.failed = s.requests_failed;
    out.records_ready = s.records_ready;
    out.prompt_tokens = s.prompt_tokens;
    out.completion_tokens = s.completion_tokens;
    out.eta_ms = s.eta_ms;
    out.next_poll_ms = s.next_poll_ms;
    out.flags = s.flags;
    out.failure = s.failure;
    out.stage.assign(stage,
                     static_cast<std::size_t>(std::min<uint64_t>(s.stage.len, sizeof stage)));
    return status;
  }

  CallStatus fetch(psw_job job, std::uint64_t max_records, std::uint32_t budget_ms,
                   const Sink& sink, Fetched& out) override {
    SinkTable table(sink);
    psw_fetch_args args{};
    args.struct_size = sizeof args;
    args.budget_ms = budget_ms;
    args.job = job;
    args.max_records = max_records;
    args.sink = table.get();
    psw_fetch_result result{};
    result.struct_size = sizeof result;
    CallStatus status = call([&](psw_error* e) { return api_.fetch(backend_, &args, &result, e); });
    out.emitted = result.emitted;
    out.more = result.more != 0;
    return table.refusal() ? status : table.refusal();
  }

  CallStatus cancel(psw_job job) override {
    return call([&](psw_error* e) { return api_.cancel(backend_, job, e); });
  }
  CallStatus close(psw_job job) override {
    return call([&](psw_error* e) { return api_.close(backend_, job, e); });
  }

  CallStatus identity(std::string& json) override {
    const auto* table = extension<psw_identity_api>(PSW_EXT_IDENTITY);
    if (!table || !PSW_HAS_FN(table, psw_identity_api, get)) return unsupported();
    std::string buffer(4096, '\0');
    for (;;) {
      psw_out out{buffer.data(), buffer.size(), 0};
      CallStatus status = call([&](psw_error* e) { return table->get(backend_, &out, e); });
      if (!status) return status;
      const bool whole = out.len <= buffer.size();
      buffer.resize(static_cast<std::size_t>(out.len));
      if (!whole) continue;
      json = std::move(buffer);
      return status;
    }
  }

  CallStatus count_tokens(std::string_view request_json, std::uint64_t& tokens) override {
    const auto* table = extension<psw_tokenize_api>(PSW_EXT_TOKENIZE);
    if (!table || !PSW_HAS_FN(table, psw_tokenize_api, count)) return unsupported();
    const psw_str line = to_str(request_json);
    return call([&](psw_error* e) { return table->count(backend_, &line, &tokens, e); });
  }

 private:
  template <class F>
  CallStatus call(F&& f) {
    ErrorBuffer error;
    const psw_status status = f(error.get());
    return status == PSW_OK ? CallStatus{} : error.status(status);
  }
  template <class Table>
  const Table* extension(const char* id) {
    return static_cast<const Table*>(api_.get_extension(backend_, id));
  }
  static CallStatus unsupported() {
    return CallStatus::failure(PSW_E_UNSUPPORTED, "the plugin does not offer this",
                               PSW_SCOPE_REQUEST);
  }

  const psw_plugin_api& api_;
  HostTable host_;
  psw_backend* backend_ = nullptr;
};

}  // namespace

ErrorBuffer::ErrorBuffer() {
  error_.struct_size = sizeof error_;
  error_.retry_after_ms = -1;
  error_.message = {text_, sizeof text_, 0};
}

CallStatus ErrorBuffer::status(psw_status code) const {
  CallStatus out;
  out.code = code;
  out.scope = error_.scope;
  out.flags = error_.flags;
  out.retry_after_ms = error_.retry_after_ms;
  out.provider_code = error_.provider_code;
  out.message.assign(
      text_, static_cast<std::size_t>(std::min<std::uint64_t>(error_.message.len, sizeof text_)));
  if (out.message.empty())
    out.message = "the plugin says no more than code " + std::to_string(code);
  return out;
}

CallStatus validate_config(const psw_plugin_api& api, std::string_view config_json) {
  ErrorBuffer error;
  const psw_str config = to_str(config_json);
  const psw_status status = api.validate_config(&config, error.get());
  return status == PSW_OK ? CallStatus{} : error.status(status);
}

CallStatus estimate_resources(const psw_plugin_api& api, std::string_view config_json,
                              std::optional<ResourceNeed>* out) {
  out->reset();
  const auto* table =
      static_cast<const psw_resources_api*>(api.get_extension(nullptr, PSW_EXT_RESOURCES));
  if (!table || !PSW_HAS_FN(table, psw_resources_api, estimate)) return {};
  ErrorBuffer error;
  char basis[stage_capacity];
  psw_resources need{};
  need.struct_size = sizeof need;
  need.basis = {basis, sizeof basis, 0};
  const psw_str config = to_str(config_json);
  const psw_status status = table->estimate(&config, &need, error.get());
  if (status == PSW_E_UNSUPPORTED) return {};
  if (status != PSW_OK) return error.status(status);
  const std::size_t n =
      static_cast<std::size_t>(std::min<std::uint64_t>(need.basis.len, sizeof basis));
  *out = ResourceNeed{need.ram_bytes, need.vram_bytes, std::string(basis, n)};
  return {};
}

CallStatus create_inline(const LoadedPlugin& plugin, std::string_view config_json,
                         Services services, std::unique_ptr<Instance>* out) {
  auto instance = std::make_unique<InlineInstance>(*plugin.api, std::move(services));
  CallStatus created = instance->create(config_json);
  if (created) *out = std::move(instance);
  return created;
}

}  // namespace promptsweep::host
