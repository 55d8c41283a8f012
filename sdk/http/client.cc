// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/client.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <promptsweep/backend.hpp>

#include "engine.h"

namespace psw {
namespace http {
namespace {

constexpr Milliseconds stop_is_asked_every{50};

// Empty where the host has none.
std::string param_or_empty(const Host& host, std::string_view key) {
  try {
    return host.param(key);
  } catch (const Error& error) {
    if (error.code == PSW_E_NOT_FOUND || error.code == PSW_E_UNSUPPORTED) return {};
    throw;
  }
}

// Where one thread waits for the Reply that another has.
class Mailbox {
 public:
  void put(Reply reply) {
    const std::lock_guard<std::mutex> lock(mutex_);
    reply_ = std::move(reply);
    // Under the lock: the mailbox is gone as soon as the waiter sees the reply.
    came_.notify_one();
  }
  bool wait(Milliseconds time) {
    std::unique_lock<std::mutex> lock(mutex_);
    return came_.wait_for(lock, time, [&] { return reply_.has_value(); });
  }
  Reply take() {
    std::unique_lock<std::mutex> lock(mutex_);
    came_.wait(lock, [&] { return reply_.has_value(); });
    return std::move(*reply_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::optional<Reply> reply_;
};

}  // namespace

ClientOptions options_of(const Host& host) {
  ClientOptions options;
  options.proxy = param_or_empty(host, "net.proxy");
  options.ca_bundle = param_or_empty(host, "net.ca_bundle");
  options.secret = [host](std::string_view name) { return host.secret(name); };
  options.log = [host](std::int32_t level, std::string_view message) { host.log(level, message); };
  return options;
}

Client::Client(ClientOptions options) : engine_(std::make_unique<Engine>(std::move(options))) {}
Client::~Client() = default;

Ticket Client::start(Request request, Done done) {
  return engine_->start(std::move(request), std::move(done));
}

void Client::cancel(Ticket ticket) { engine_->cancel(ticket); }

Standing Client::standing() const { return engine_->standing(); }

Reply Client::run(Request request, const std::function<bool()>& should_stop) {
  if (engine_->on_own_thread()) {
    return Engine::refused(Failure::local, "run() was called on the client's own thread");
  }
  Mailbox mailbox;
  const Ticket ticket =
      start(std::move(request), [&mailbox](Reply reply) { mailbox.put(std::move(reply)); });
  if (!should_stop) return mailbox.take();
  std::exception_ptr thrown;
  while (!mailbox.wait(stop_is_asked_every)) {
    try {
      if (!should_stop()) continue;
    } catch (...) {
      thrown = std::current_exception();
    }
    cancel(ticket);
    break;
  }
  Reply reply = mailbox.take();
  if (thrown) std::rethrow_exception(thrown);
  return reply;
}

}  // namespace http
}  // namespace psw
