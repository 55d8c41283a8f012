// SPDX-License-Identifier: Apache-2.0
// promptsweep-host PLUGIN.so: drives one plugin for the program at the other end of descriptor 3.
//
// The main thread reads frames. Calls that a plugin must answer at once (poll, cancel) run on it;
// every other call has a thread of its own, so that none waits for another. The end of the socket
// is the end of this process.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "host/child_process.h"
#include "host/inline_instance.h"
#include "host/loader.h"
#include "host/wire.h"

namespace {

using namespace promptsweep::host;

class Server {
 public:
  explicit Server(Socket& socket) : socket_(socket) {}

  bool hello(const std::filesystem::path& library) {
    const CallStatus loaded = load_plugin(library, &plugin_);
    Writer w;
    w.number(wire_cookie).number(wire_protocol);
    write(w, loaded);
    write(w, loaded ? plugin_->description : Description());
    return send({Op::hello, 0, w.take()}) && loaded;
  }

  void serve() {
    FrameParser parser;
    std::string bytes;
    Frame frame;
    while (socket_.receive(bytes)) {
      parser.feed(bytes);
      bytes.clear();
      while (parser.next(frame)) dispatch(std::move(frame));
      if (parser.broken()) return;
    }
  }

 private:
  void dispatch(Frame frame) {
    switch (frame.op) {
      case Op::callback_reply: {
        std::lock_guard<std::mutex> lock(mutex_);
        callback_replies_[frame.call] = std::move(frame.body);
        changed_.notify_all();
        return;
      }
      case Op::stop:
        stop_.store(true, std::memory_order_relaxed);
        return;
      case Op::poll:
      case Op::cancel:
        handle(frame);
        return;
      default:
        std::thread([this, frame = std::move(frame)] { handle(frame); }).detach();
    }
  }

  void handle(const Frame& frame) {
    Reader r(frame.body);
    Writer results;
    CallStatus status = call(frame.op, r, results);
    Writer w;
    write(w, status);
    w.raw(results.bytes());
    send({Op::reply, frame.call, w.take()});
  }

  CallStatus call(Op op, Reader& r, Writer& results) {
    if (op == Op::validate) return validate_config(*plugin_->api, r.text());
    if (op == Op::estimate) return estimate(r, results);
    if (op == Op::create) return create(r);
    // Kept alive for the length of the call: destroy may come meanwhile.
    const std::shared_ptr<Instance> instance = current_instance();
    if (!instance) return CallStatus::failure(PSW_E_STATE, "there is no instance");
    switch (op) {
      case Op::submit: {
        JobArgs args;
        read(r, args);
        return instance->submit(args);
      }
      case Op::poll: {
        JobView view;
        CallStatus status = instance->poll(r.number<psw_job>(), view);
        write(results, view);
        return status;
      }
      case Op::fetch:
        return fetch(*instance, r, results);
      case Op::cancel:
        return instance->cancel(r.number<psw_job>());
      case Op::close:
        return instance->close(r.number<psw_job>());
      case Op::identity: {
        std::string json;
        CallStatus status = instance->identity(json);
        results.text(json);
        return status;
      }
      case Op::count_tokens: {
        std::uint64_t tokens = 0;
        CallStatus status = instance->count_tokens(r.text(), tokens);
        results.number(tokens);
        return status;
      }
      case Op::destroy: {
        std::lock_guard<std::mutex> lock(mutex_);
        instance_.reset();
        return {};  // the instance ends with the last call on it, at the latest this one
      }
      default:
        return CallStatus::failure(PSW_E_UNSUPPORTED, "unknown call");
    }
  }

  CallStatus estimate(Reader& r, Writer& results) {
    std::optional<ResourceNeed> need;
    CallStatus status = estimate_resources(*plugin_->api, r.text(), &need);
    results.number<std::uint8_t>(need ? 1 : 0);
    if (need) results.number(need->ram_bytes).number(need->vram_bytes).text(need->basis);
    return status;
  }

  CallStatus create(Reader& r) {
    std::unique_ptr<Instance> instance;
    CallStatus status = create_inline(*plugin_, r.text(), services(), &instance);
    std::lock_guard<std::mutex> lock(mutex_);
    if (status) instance_ = std::move(instance);
    return status;
  }

  // Records are accepted into the batch and travel in the reply; the program's sink takes them
  // there. The program asks for the next batch when it has taken this one.
  CallStatus fetch(Instance& instance, Reader& r, Writer& results) {
    const auto job = r.number<psw_job>();
    const auto max_records = r.number<std::uint64_t>();
    const auto budget_ms = r.number<std::uint32_t>();
    Writer batch;
    std::uint64_t count = 0;
    bool full = false;
    const Sink sink = [&](const Record& record) -> CallStatus {
      if (count != 0 && batch.size() >= batch_bytes) {
        full = true;
        return CallStatus::failure(PSW_E_RESOURCE, "the batch is full");
      }
      write(batch, record);
      ++count;
      return {};
    };
    Fetched fetched;
    CallStatus status = instance.fetch(job, max_records, budget_ms, sink, fetched);
    if (full) status = {};
    results.number<std::uint8_t>(full || fetched.more ? 1 : 0).number(count).raw(batch.bytes());
    return status;
  }

  std::shared_ptr<Instance> current_instance() {
    std::lock_guard<std::mutex> lock(mutex_);
    return instance_;
  }

  Services services() {
    Services s;
    s.log = [this](psw_job job, std::int32_t level, std::string_view message) {
      send({Op::log, 0, Writer().number(job).number(level).text(message).take()});
    };
    s.progress = [this](psw_job job, std::uint64_t done, std::uint64_t total,
                        std::string_view stage) {
      send({Op::progress, 0, Writer().number(job).number(done).number(total).text(stage).take()});
    };
    s.mark = [this](psw_job job, std::uint64_t index, std::int32_t what) {
      const std::string frame =
          encode({Op::mark, 0, Writer().number(job).number(index).number(what).take()});
      // A beginning must be known before the work can kill this process. An end may wait for the
      // next beginning or reply: at worst a finished request looks like a suspect.
      if (what == PSW_MARK_BEGIN) {
        socket_.send(frame);
      } else {
        socket_.send_later(frame);
      }
    };
    s.secret = [this](std::string_view name) { return ask_text(Op::secret, name); };
    s.param = [this](std::string_view key) { return ask_text(Op::param, key); };
    s.checkpoint = [this](psw_job job, std::string_view token) {
      const std::string reply = ask(Op::checkpoint, Writer().number(job).text(token).take());
      return Reader(reply).number<psw_status>();
    };
    s.should_stop = [this] { return stop_.load(std::memory_order_relaxed); };
    return s;
  }

  std::optional<std::string> ask_text(Op op, std::string_view key) {
    const std::string reply = ask(op, Writer().text(key).take());
    Reader r(reply);
    if (r.number<std::uint8_t>() == 0) return std::nullopt;
    return r.string();
  }

  std::string ask(Op op, std::string body) {
    const std::uint64_t call = callback_bit | ++callbacks_;
    send({op, call, std::move(body)});
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return callback_replies_.count(call) != 0; });
    return std::move(callback_replies_.extract(call).mapped());
  }

  bool send(const Frame& frame) { return socket_.send(encode(frame)); }

  Socket& socket_;
  const LoadedPlugin* plugin_ = nullptr;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> callbacks_{0};
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<std::uint64_t, std::string> callback_replies_;
  std::shared_ptr<Instance> instance_;
};

}  // namespace

int main(int count, char** arguments) {
  // Never destroyed: threads of calls may use it until the process is gone.
  static Socket& socket = *new Socket;
  if (count != 2 || !adopt_host_socket(socket)) {
    std::fprintf(stderr,
                 "promptsweep-host is started by promptsweep, which talks to it through a socket. "
                 "To try a plugin use: promptsweep check --backend-path FOLDER\n");
    return 2;
  }
  offer_to_out_of_memory_killer();
  Server& server = *new Server(socket);
  if (!server.hello(arguments[1])) leave(3);
  server.serve();
  leave(0);
}
