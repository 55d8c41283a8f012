// SPDX-License-Identifier: Apache-2.0
// An emulated service, and what all of them share.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "answers.h"
#include "counts.h"
#include "faults.h"
#include "http_server.h"
#include "settings.h"

namespace promptsweep::emulator {

struct World {
  boost::asio::io_context& io;
  const Settings& settings;
  Answers& answers;
  Faults& faults;
  Counts& counts;
};

class Service {
 public:
  virtual ~Service() = default;
  // The name of a request's route; "": the service has no such route.
  virtual std::string route(const Request& request) const = 0;
  // `strike`: the fault that the service itself must play, or none.
  virtual void handle(ExchangePtr exchange, const std::string& route, const Strike& strike) = 0;
  // A new script begins: what lasting faults of the last one changed is as before.
  virtual void recover() {}
  // A second port, another origin, whose requests go the same way (Request::port tells).
  virtual bool wants_storage_port() const { return false; }
  virtual void storage_port_is(std::uint16_t) {}
  // An error in the service's own form.
  virtual Reply error(const std::string& route, int status, const std::string& text) const = 0;
};

std::unique_ptr<Service> make_ollama(World world);
std::unique_ptr<Service> make_openai(World world);
std::unique_ptr<Service> make_fireworks(World world);

// Chat requests in service: each takes a slot and the service time; more than `slots` wait in the
// order of their coming. A client that leaves gives its slot back at once. 0 slots: no bound.
class Slots {
 public:
  Slots(World world, std::size_t slots) : world_(world), slots_(slots) {}
  // `finish` is called at the end of the service, unless the client left before.
  void serve(ExchangePtr exchange, std::function<void()> finish);
  bool idle() const { return busy_ == 0 && waiting_.empty(); }
  void on_idle(std::function<void()> call) { on_idle_ = std::move(call); }

 private:
  struct Turn {
    ExchangePtr exchange;
    std::function<void()> finish;
  };
  void start(Turn turn);
  void leave();

  World world_;
  std::size_t slots_, busy_ = 0;
  std::deque<Turn> waiting_;
  std::function<void()> on_idle_;
};

// Plays the faults that need no knowledge of the service. Returns whether it sent the reply; else
// the reply may have been prepared to go astray and the request is to be served.
bool play(const Strike& strike, const ExchangePtr& exchange, const Service& service,
          const std::string& route);

Reply json_reply(const nlohmann::json& body, int status = 200);

}  // namespace promptsweep::emulator
