// SPDX-License-Identifier: Apache-2.0
// The model processes of an Ollama server: loads, reloads when options change, evictions, slots.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "service.h"

namespace promptsweep::emulator {

struct LoadedModel {
  std::string name;
  std::int64_t num_ctx = 0;
  double expires_in_s = 0;  // negative: never
};

class Runners {
 public:
  explicit Runners(World world) : world_(world) {}

  // Serves `exchange` with `model` under the options `key` (num_ctx among them). The request waits
  // without bound for a slot of a loaded model; where a load is needed it waits in a queue of
  // Settings::max_queue, and false is returned when that is full.
  // keep_alive_s: life of the model after the request; negative: for ever.
  bool serve(const std::string& model, const std::string& key, std::int64_t num_ctx,
             double keep_alive_s, ExchangePtr exchange, std::function<void()> finish);
  // As serve, for a request that only loads.
  bool load(const std::string& model, const std::string& key, std::int64_t num_ctx,
            double keep_alive_s, ExchangePtr exchange, std::function<void()> finish);
  void unload(const std::string& model);
  std::vector<LoadedModel> loaded();

 private:
  struct Turn {
    std::string key;
    std::int64_t num_ctx;
    double keep_alive_s;
    ExchangePtr exchange;
    std::function<void()> finish;
    bool only_load;
  };
  struct Runner {
    explicit Runner(World world) : slots(world, world.settings.parallel) {}
    Slots slots;
    bool loaded = false, loading = false;
    std::string key;
    std::int64_t num_ctx = 0;
    double keep_alive_s = 0;
    Counts::Clock::time_point expires;
    std::deque<Turn> pending;
  };
  bool take(const std::string& model, Turn turn);
  void begin(Runner& runner, Turn turn);
  void schedule(const std::string& model, Runner& runner);
  void make_room();
  void expire(Runner& runner);
  Runner& runner(const std::string& model);

  World world_;
  std::map<std::string, std::unique_ptr<Runner>> runners_;
  std::size_t pending_ = 0;
};

}  // namespace promptsweep::emulator
