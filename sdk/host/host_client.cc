// SPDX-License-Identifier: Apache-2.0
// Threads: callers send a frame and wait for its reply; one receiver reads the socket and the
// output pipe and never calls the program; one servant runs the program's services (which may take
// locks or sync files) in the order in which the host asked for them.
#include "host/host_client.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "host/child_process.h"
#include "host/wire.h"

namespace promptsweep::host {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// How long a call may take before the process counts as hanging: the plugin's declared bound where
// it has one, plus time for a busy machine.
constexpr Milliseconds margin{5000};
constexpr Milliseconds start_bound{60000};    // loading a CUDA library from a cold disk
constexpr Milliseconds quick_bound{5000};     // poll, cancel: 50 ms by contract
constexpr Milliseconds check_bound{30000};    // validate, estimate, identity, count_tokens
constexpr Milliseconds submit_bound{120000};  // reads the requests file
constexpr Milliseconds undeclared_create_bound{600000};
constexpr Milliseconds undeclared_destroy_bound{5000};
constexpr std::uint32_t exit_grace_ms = 500;
constexpr std::uint64_t records_per_batch = 65536;
constexpr std::size_t kept_output_bytes = 2000;

class Client : public HostProcess {
 public:
  explicit Client(HostOptions options) : options_(std::move(options)) {}

  ~Client() override {
    if (receiver_.joinable()) {
      if (created_ && !death()) destroy();
      leaving_.store(true);
      child_.hang_up();
      wait_for_death(Milliseconds(exit_grace_ms));
      if (!death()) child_.kill();
      receiver_.join();
    }
    {
      std::lock_guard<std::mutex> lock(tasks_mutex_);
      no_more_tasks_ = true;
    }
    tasks_changed_.notify_all();
    if (servant_.joinable()) servant_.join();
  }

  CallStatus launch() {
    CallStatus started =
        child_.start(options_.program, {options_.library.string()}, clean_environment());
    if (!started) return started;
    receiver_ = std::thread([this] { receive(); });
    servant_ = std::thread([this] { serve_callbacks(); });
    Frame hello;
    if (CallStatus s = wait_reply(hello_call, start_bound, "loading", hello); !s) {
      if (death()) {
        return CallStatus::failure(
            PSW_E_UNSUPPORTED,
            options_.library.string() +
                " is refused: loading it ended the host process: " + *death(),
            PSW_SCOPE_LIBRARY);
      }
      return s;
    }
    return read_hello(hello);
  }

  const Description& description() const override { return description_; }
  std::int64_t pid() const override { return child_.pid(); }

  CallStatus validate(std::string_view config_json) override {
    return call(Op::validate, Writer().text(config_json).take(), check_bound, "validate_config");
  }

  CallStatus estimate(std::string_view config_json, std::optional<ResourceNeed>* out) override {
    out->reset();
    return call(Op::estimate, Writer().text(config_json).take(), check_bound, "estimate",
                [&](Reader& r) {
                  if (r.number<std::uint8_t>() == 0) return;
                  ResourceNeed need;
                  need.ram_bytes = r.number<std::uint64_t>();
                  need.vram_bytes = r.number<std::uint64_t>();
                  need.basis = r.string();
                  *out = std::move(need);
                });
  }

  CallStatus create(std::string_view config_json) override {
    const std::uint32_t declared = description_.limits.create_bound_ms;
    const Milliseconds bound =
        declared != 0 ? Milliseconds(declared) + margin : undeclared_create_bound;
    CallStatus status = call(Op::create, Writer().text(config_json).take(), bound, "create");
    if (status) created_ = true;
    return status;
  }

  CallStatus submit(const JobArgs& args) override {
    Writer w;
    write(w, args);
    return call(Op::submit, w.take(), submit_bound, "submit");
  }

  CallStatus poll(psw_job job, JobView& out) override {
    CallStatus status = call(Op::poll, Writer().number(job).take(), quick_bound, "poll",
                             [&](Reader& r) { read(r, out); });
    if (status) out.records_ready += batch_of(job)->left_now();
    return status;
  }

  CallStatus fetch(psw_job job, std::uint64_t max_records, std::uint32_t budget_ms,
                   const Sink& sink, Fetched& out) override {
    const std::shared_ptr<Batch> batch = batch_of(job);
    std::lock_guard<std::mutex> lock(batch->mutex);
    if (batch->left > 0 && death()) {
      batch->left = 0;  // refused before and unfinished now: a new instance answers them again
    }
    if (batch->left == 0) {
      const std::uint64_t wanted = std::min(max_records, records_per_batch);
      CallStatus got =
          call(Op::fetch, Writer().number(job).number(wanted).number(budget_ms).take(),
               Milliseconds(budget_ms) + submit_bound, "fetch", [&](Reader& r) { batch->take(r); });
      if (!got && batch->left == 0) return got;
    }
    CallStatus refused = batch->deliver(max_records, sink, out.emitted);
    out.more = batch->left > 0 || batch->more_behind;
    return refused;
  }

  CallStatus cancel(psw_job job) override {
    return call(Op::cancel, Writer().number(job).take(), quick_bound, "cancel");
  }

  CallStatus close(psw_job job) override {
    CallStatus status = call(Op::close, Writer().number(job).take(), submit_bound, "close");
    if (status) {
      std::lock_guard<std::mutex> lock(mutex_);
      batches_.erase(job);
    }
    return status;
  }

  CallStatus identity(std::string& json) override {
    return call(Op::identity, "", check_bound, "identity", [&](Reader& r) { json = r.string(); });
  }

  CallStatus count_tokens(std::string_view request_json, std::uint64_t& tokens) override {
    return call(Op::count_tokens, Writer().text(request_json).take(), check_bound, "count_tokens",
                [&](Reader& r) { tokens = r.number<std::uint64_t>(); });
  }

  std::optional<std::string> death() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return death_;
  }

  std::vector<Begun> begun() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Begun> out;
    out.reserve(begun_.size());
    for (const auto& [job, index] : begun_) out.push_back({job, index});
    return out;
  }

  void kill(const std::string& why) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (kill_reason_.empty()) kill_reason_ = why;
    }
    child_.kill();
    wait_for_death(margin);
  }

 private:
  // Records that the host handed over and no sink has taken yet.
  struct Batch {
    std::mutex mutex;  // guards what follows; fetch calls of one job come one at a time
    std::string bytes;
    std::size_t used = 0;
    std::atomic<std::uint64_t> left{0};
    bool more_behind = false;

    std::uint64_t left_now() const { return left.load(std::memory_order_relaxed); }
    void take(Reader& r) {
      more_behind = r.number<std::uint8_t>() != 0;
      left = r.number<std::uint64_t>();
      bytes.assign(r.rest());
      used = 0;
    }
    CallStatus deliver(std::uint64_t max_records, const Sink& sink, std::uint64_t& emitted) {
      while (left > 0 && emitted < max_records) {
        Reader r(std::string_view(bytes).substr(used));
        Record record;
        read(r, record);
        if (!r.ok()) {
          left = 0;
          return CallStatus::failure(PSW_E_DATA, "the host process sent a broken batch");
        }
        if (CallStatus refused = sink(record); !refused) return refused;
        used = bytes.size() - r.rest().size();
        --left;
        ++emitted;
      }
      return {};
    }
  };

  static constexpr std::uint64_t hello_call = 0;

  // ---- calls ----

  template <class TakeResults>
  CallStatus call(Op op, std::string body, Milliseconds bound, const char* what,
                  TakeResults&& take_results) {
    const std::uint64_t id = ++calls_;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (death_) return lost_locked();
      waiting_.insert(id);
    }
    child_.socket().send(encode({op, id, std::move(body)}));  // a failure shows as the death
    Frame reply;
    if (CallStatus waited = wait_reply(id, bound, what, reply); !waited) return waited;
    Reader r(reply.body);
    CallStatus status;
    read(r, status);
    take_results(r);
    if (!r.ok()) status = CallStatus::failure(PSW_E_DATA, "the host process sent a broken reply");
    return status;
  }
  CallStatus call(Op op, std::string body, Milliseconds bound, const char* what) {
    return call(op, std::move(body), bound, what, [](Reader&) {});
  }

  CallStatus wait_reply(std::uint64_t id, Milliseconds bound, const char* what, Frame& reply) {
    const auto end = Clock::now() + bound;
    bool stop_sent = false;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      const auto found = replies_.find(id);
      if (found != replies_.end()) {
        reply = std::move(found->second);
        replies_.erase(found);
        return {};
      }
      if (death_) return lost_locked();
      const auto now = Clock::now();
      if (now >= end) break;
      const bool stoppable = !created_ && options_.services.should_stop;
      changed_.wait_until(lock, stoppable ? std::min(end, now + Milliseconds(50)) : end);
      if (!stoppable || stop_sent) continue;
      lock.unlock();
      stop_sent = options_.services.should_stop();
      if (stop_sent) child_.socket().send(encode({Op::stop, 0, ""}));
      lock.lock();
    }
    lock.unlock();
    kill(std::string(what) + " took longer than " + std::to_string(bound.count()) + " ms");
    lock.lock();
    return lost_locked();
  }

  CallStatus lost_locked() const {
    CallStatus out = CallStatus::failure(
        PSW_E_UNAVAILABLE,
        "the host process of " + name() + " is gone: " + death_.value_or("killed"),
        PSW_SCOPE_INSTANCE);
    out.flags = PSW_ERR_RETRYABLE;
    return out;
  }

  std::string name() const {
    return description_.id.empty() ? options_.library.filename().string() : description_.id;
  }

  CallStatus read_hello(const Frame& frame) {
    Reader r(frame.body);
    const auto cookie = r.number<std::uint32_t>();
    const auto protocol = r.number<std::uint32_t>();
    if (cookie != wire_cookie || protocol != wire_protocol) {
      return CallStatus::failure(PSW_E_UNSUPPORTED,
                                 options_.program.string() +
                                     " belongs to another version of "
                                     "promptsweep (protocol " +
                                     std::to_string(protocol) + ", not " +
                                     std::to_string(wire_protocol) + ")",
                                 PSW_SCOPE_LIBRARY);
    }
    CallStatus loaded;
    read(r, loaded);
    read(r, description_);
    return loaded;
  }

  void destroy() {
    const std::uint32_t declared = description_.limits.destroy_bound_ms;
    const Milliseconds bound =
        declared != 0 ? Milliseconds(declared) + Milliseconds(1000) : undeclared_destroy_bound;
    // A hanging destroy ends with the process's death, which is all that is wanted.
    (void)call(Op::destroy, "", bound, "destroy");
  }

  std::shared_ptr<Batch> batch_of(psw_job job) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Batch>& batch = batches_[job];
    if (!batch) batch = std::make_shared<Batch>();
    return batch;
  }

  void wait_for_death(Milliseconds bound) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, bound, [&] { return death_.has_value(); });
  }

  // ---- the receiver ----

  void receive() {
    FrameParser parser;
    std::string bytes;
    Frame frame;
    for (;;) {
      bytes.clear();
      const ChildProcess::Event event = child_.wait(bytes);
      if (event == ChildProcess::Event::closed) break;
      if (event == ChildProcess::Event::output) {
        take_output(bytes);
        continue;
      }
      parser.feed(bytes);
      while (parser.next(frame)) dispatch(std::move(frame));
      if (parser.broken()) {
        child_.kill();
        break;
      }
    }
    const std::string end = child_.reap(exit_grace_ms);
    take_output(child_.drain_output());
    take_output("\n");
    std::lock_guard<std::mutex> lock(mutex_);
    death_ = kill_reason_.empty() ? end : kill_reason_ + "; " + end;
    const bool expected = leaving_.load();
    if (!expected && !last_output_.empty()) *death_ += "; its last words: " + last_output_;
    changed_.notify_all();
  }

  void dispatch(Frame frame) {
    switch (frame.op) {
      case Op::hello:
      case Op::reply: {
        std::lock_guard<std::mutex> lock(mutex_);
        const bool awaited = frame.op == Op::hello || waiting_.erase(frame.call) != 0;
        if (awaited) replies_[frame.op == Op::hello ? hello_call : frame.call] = std::move(frame);
        changed_.notify_all();
        return;
      }
      case Op::mark: {
        Reader r(frame.body);
        const auto job = r.number<psw_job>();
        const auto index = r.number<std::uint64_t>();
        const auto what = r.number<std::int32_t>();
        std::lock_guard<std::mutex> lock(mutex_);
        if (what == PSW_MARK_BEGIN) {
          begun_.insert({job, index});
        } else {
          begun_.erase({job, index});
        }
        return;
      }
      default:
        add_task([this, frame = std::move(frame)] { answer(frame); });
    }
  }

  void take_output(const std::string& bytes) {
    partial_line_ += bytes;
    std::size_t from = 0;
    for (std::size_t end; (end = partial_line_.find('\n', from)) != std::string::npos;
         from = end + 1) {
      std::string line = partial_line_.substr(from, end - from);
      if (line.empty()) continue;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        last_output_ += (last_output_.empty() ? "" : " / ") + line;
        if (last_output_.size() > kept_output_bytes) {
          last_output_.erase(0, last_output_.size() - kept_output_bytes);
        }
      }
      if (options_.output) {
        add_task([this, line = std::move(line)] { options_.output(line); });
      }
    }
    partial_line_.erase(0, from);
  }

  // ---- the servant ----

  void add_task(std::function<void()> task) {
    {
      std::lock_guard<std::mutex> lock(tasks_mutex_);
      tasks_.push_back(std::move(task));
    }
    tasks_changed_.notify_all();
  }

  void serve_callbacks() {
    std::unique_lock<std::mutex> lock(tasks_mutex_);
    for (;;) {
      tasks_changed_.wait(lock, [&] { return no_more_tasks_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  void answer(const Frame& frame) {
    const Services& s = options_.services;
    Reader r(frame.body);
    switch (frame.op) {
      case Op::log: {
        const auto job = r.number<psw_job>();
        const auto level = r.number<std::int32_t>();
        if (s.log) s.log(job, level, r.text());
        return;
      }
      case Op::progress: {
        const auto job = r.number<psw_job>();
        const auto done = r.number<std::uint64_t>();
        const auto total = r.number<std::uint64_t>();
        if (s.progress) s.progress(job, done, total, r.text());
        return;
      }
      case Op::secret:
        reply_text(frame.call, s.secret ? s.secret(r.text()) : std::nullopt);
        return;
      case Op::param:
        reply_text(frame.call, s.param ? s.param(r.text()) : std::nullopt);
        return;
      case Op::checkpoint: {
        const auto job = r.number<psw_job>();
        const psw_status status =
            s.checkpoint ? s.checkpoint(job, r.text()) : psw_status(PSW_E_UNSUPPORTED);
        reply(frame.call, Writer().number(status).take());
        return;
      }
      default:
        return;  // nothing else comes this way
    }
  }

  void reply_text(std::uint64_t call, const std::optional<std::string>& value) {
    Writer w;
    w.number<std::uint8_t>(value ? 1 : 0);
    if (value) w.text(*value);
    reply(call, w.take());
  }
  void reply(std::uint64_t call, std::string body) {
    child_.socket().send(encode({Op::callback_reply, call, std::move(body)}));
  }

  const HostOptions options_;
  ChildProcess child_;
  Description description_;           // constant after launch
  std::atomic<bool> created_{false};  // set by create
  std::atomic<bool> leaving_{false};
  std::atomic<std::uint64_t> calls_{hello_call};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::set<std::uint64_t> waiting_;
  std::map<std::uint64_t, Frame> replies_;
  std::set<std::pair<psw_job, std::uint64_t>> begun_;
  std::map<psw_job, std::shared_ptr<Batch>> batches_;
  std::optional<std::string> death_;
  std::string kill_reason_, last_output_;

  std::string partial_line_;  // the receiver's own

  std::mutex tasks_mutex_;  // guards what follows
  std::condition_variable tasks_changed_;
  std::deque<std::function<void()>> tasks_;
  bool no_more_tasks_ = false;

  std::thread receiver_, servant_;
};

}  // namespace

std::optional<std::filesystem::path> find_host_program() {
  if (const char* named = std::getenv("PROMPTSWEEP_HOST")) {
    return std::filesystem::path(named);
  }
  const std::filesystem::path here = this_program().parent_path();
  constexpr const char* name = "promptsweep-host";
  for (const std::filesystem::path& folder :
       {here, here / ".." / "libexec" / "promptsweep", here / ".." / "bin"}) {
    std::error_code failed;
    std::filesystem::path candidate = std::filesystem::canonical(folder / name, failed);
    if (!failed) return candidate;
  }
  return std::nullopt;
}

CallStatus HostProcess::start(HostOptions options, std::unique_ptr<HostProcess>* out) {
  auto client = std::make_unique<Client>(std::move(options));
  CallStatus launched = client->launch();
  if (launched) *out = std::move(client);
  return launched;
}

}  // namespace promptsweep::host
