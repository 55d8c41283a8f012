// SPDX-License-Identifier: Apache-2.0
// The server and its model, as they are checked before the first request and watched afterwards.
#pragma once

#include <promptsweep/http/client.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <promptsweep/backend.hpp>
#include <string>

#include "options.h"
#include "protocol.h"

namespace ollama {

class Server {
 public:
  // Reachable, has the model, the model can do what is asked and its context holds num_ctx. Throws
  // psw::Error with one sentence that says what helps.
  Server(const psw::Host& host, const Options& options, psw::http::Client& client);

  const Language& language() const { return *language_; }
  std::string identity() const;

  // Loads the model; host.progress hears of it, host.should_stop ends it.
  void warm_up();
  // Best effort, within seconds.
  void unload() noexcept;

  // Throws PSW_E_STATE where the tag no longer names the model that the run began with: one arm
  // never holds answers of two.
  void check_digest(const std::function<bool()>& should_stop);
  // The same, without waiting: asks in the background every two seconds at most.
  void watch_digest();

 private:
  // What both threads of a look at the digest hold.
  struct Watch {
    std::atomic<bool> changed{false}, asking{false};
    std::mutex mutex;
    std::string now;  // guarded: the digest that was found
  };

  psw::http::Request get(const std::string& path) const;
  psw::http::Request post(const std::string& path, std::string body) const;
  // A good reply, or an exception.
  psw::http::Reply call(psw::http::Request request, const std::function<bool()>& should_stop);
  void read_server();
  void check_model();
  void check_loaded();
  void see_digest(const std::string& tags_body);
  [[noreturn]] void report_change() const;

  const psw::Host& host_;
  const Options options_;
  psw::http::Client& client_;
  Version version_;
  ModelFacts facts_;
  std::string digest_;
  std::unique_ptr<Language> language_;
  const std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  std::atomic<std::int64_t> next_look_us_{0};
};

}  // namespace ollama
