// SPDX-License-Identifier: Apache-2.0
// promptsweep-emulator: LLM services on the loopback address, with faults on demand.
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "service.h"

namespace promptsweep::emulator {
namespace {

class Emulator {
 public:
  explicit Emulator(const Settings& settings)
      : settings_(settings), answers_(settings.seed), faults_(settings.seed), counts_(settings) {}

  std::string prepare() {
    if (!settings_.answers.empty()) {
      if (std::string e = answers_.load(settings_.answers); !e.empty()) return e;
    }
    if (settings_.faults.empty()) return "";
    std::ifstream in(settings_.faults, std::ios::binary);
    if (!in) return settings_.faults + " cannot be read";
    std::ostringstream text;
    text << in.rdbuf();
    const std::string e = faults_.load(text.str(), settings_.service);
    return e.empty() ? "" : settings_.faults + ": " + e;
  }

  void run() {
    const World world{io_, settings_, answers_, faults_, counts_};
    service_ = settings_.service == "ollama"   ? make_ollama(world)
               : settings_.service == "openai" ? make_openai(world)
                                               : make_fireworks(world);
    server_ = std::make_unique<HttpServer>(io_, settings_.port,
                                           [this](ExchangePtr exchange) { serve(exchange); });
    if (service_->wants_storage_port()) {
      storage_ =
          std::make_unique<HttpServer>(io_, 0, [this](ExchangePtr exchange) { serve(exchange); });
      service_->storage_port_is(storage_->port());
    }
    std::printf("listening http://127.0.0.1:%d\n", server_->port());
    std::fflush(stdout);
    io_.run();
  }

 private:
  void serve(const ExchangePtr& exchange) {
    const Request& r = exchange->request();
    if (r.path.rfind("/_emulator/", 0) == 0) return control(exchange);
    counts_.begin();
    exchange->on_sent([this](int status) { counts_.end(status); });
    const std::string route = service_->route(r);
    const std::uint64_t index = counts_.request(route, r.method + " " + r.path);
    if (dead_) return reset(exchange);
    const Strike strike = faults_.strike(route, index, all_++);
    if (!strike) return service_->handle(exchange, route, strike);
    counts_.fault(strike.kind->name);
    if (strike.kind->act == Act::refuse) {
      server_->refuse_for(Milliseconds(strike.ms));
      return reset(exchange);
    }
    if (strike.kind->act == Act::death) {
      dead_ = true;
      return exchange->send(service_->error(route, 500, "the engine is dead"));
    }
    if (!play(strike, exchange, *service_, route)) service_->handle(exchange, route, strike);
  }

  static void reset(const ExchangePtr& exchange) {
    Reply reply;
    reply.delivery = Delivery::reset_before;
    exchange->send(std::move(reply));
  }

  void control(const ExchangePtr& exchange) {
    const Request& r = exchange->request();
    if (r.method == "GET" && r.path == "/_emulator/counts") {
      return exchange->send(json_reply(counts_.json()));
    }
    if (r.method == "GET" && r.path == "/_emulator/faults") {
      Reply reply;
      reply.body = faults_json(settings_.service);
      return exchange->send(std::move(reply));
    }
    if (r.method == "POST" && r.path == "/_emulator/faults") {
      const std::string e = faults_.load(r.body, settings_.service);
      if (!e.empty()) return exchange->send(json_reply({{"error", e}}, 400));
      dead_ = false;
      service_->recover();
      return exchange->send(json_reply(nlohmann::json::object()));
    }
    if (r.method == "POST" && r.path == "/_emulator/stop") {
      exchange->send(json_reply(nlohmann::json::object()));
      return after(io_, Milliseconds(20), [this] { io_.stop(); });
    }
    exchange->send(json_reply({{"error", "no such control"}}, 404));
  }

  const Settings& settings_;
  boost::asio::io_context io_{1};
  Answers answers_;
  Faults faults_;
  Counts counts_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<HttpServer> server_, storage_;
  std::uint64_t all_ = 0;
  bool dead_ = false;
};

// Thousands of connections need as many files.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(int argc, char** argv) {
  Settings settings;
  if (const std::string e = read_command_line(argc, argv, settings); !e.empty()) {
    std::fprintf(stderr, "promptsweep-emulator: %s\n%s", e.c_str(), usage().c_str());
    return 2;
  }
  if (settings.list_faults) {
    std::printf("%s\n", faults_json(settings.service).c_str());
    return 0;
  }
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  Emulator emulator(settings);
  if (const std::string e = emulator.prepare(); !e.empty()) {
    std::fprintf(stderr, "promptsweep-emulator: %s\n", e.c_str());
    return 2;
  }
  emulator.run();
  return 0;
}

}  // namespace
}  // namespace promptsweep::emulator

int main(int argc, char** argv) {
  try {
    return promptsweep::emulator::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "promptsweep-emulator: %s\n", e.what());
    return 1;
  }
}
