// SPDX-License-Identifier: Apache-2.0
#include "ollama_runner.h"

namespace promptsweep::emulator {
namespace {

constexpr std::size_t max_loaded_models = 3;

}  // namespace

Runners::Runner& Runners::runner(const std::string& model) {
  auto& place = runners_[model];
  if (!place) {
    place = std::make_unique<Runner>(world_);
    place->slots.on_idle([this, model, r = place.get()] { schedule(model, *r); });
  }
  return *place;
}

bool Runners::serve(const std::string& model, const std::string& key, std::int64_t num_ctx,
                    double keep_alive_s, ExchangePtr exchange, std::function<void()> finish) {
  return take(model, {key, num_ctx, keep_alive_s, std::move(exchange), std::move(finish), false});
}

bool Runners::load(const std::string& model, const std::string& key, std::int64_t num_ctx,
                   double keep_alive_s, ExchangePtr exchange, std::function<void()> finish) {
  return take(model, {key, num_ctx, keep_alive_s, std::move(exchange), std::move(finish), true});
}

bool Runners::take(const std::string& model, Turn turn) {
  Runner& r = runner(model);
  expire(r);
  if (r.loaded && !r.loading && r.key == turn.key) {
    begin(r, std::move(turn));
    return true;
  }
  if (pending_ >= world_.settings.max_queue) return false;
  ++pending_;
  r.pending.push_back(std::move(turn));
  schedule(model, r);
  return true;
}

void Runners::begin(Runner& r, Turn turn) {
  r.keep_alive_s = turn.keep_alive_s;
  r.expires =
      Counts::Clock::now() +
      std::chrono::microseconds(static_cast<std::int64_t>(std::max(turn.keep_alive_s, 0.0) * 1e6));
  if (turn.only_load) return turn.finish();
  r.slots.serve(std::move(turn.exchange), std::move(turn.finish));
}

// Takes what waits: as much as fits the loaded options, then a reload once the runner is idle.
void Runners::schedule(const std::string& model, Runner& r) {
  if (r.loading) return;
  while (!r.pending.empty() && r.loaded && r.pending.front().key == r.key) {
    Turn turn = std::move(r.pending.front());
    r.pending.pop_front();
    --pending_;
    if (!turn.exchange->gone()) begin(r, std::move(turn));
  }
  if (r.pending.empty() || r.loading || !r.slots.idle()) return;
  if (!r.loaded) make_room();
  world_.counts.add(r.loaded ? "reloads" : "loads");
  r.loading = true;
  r.key = r.pending.front().key;
  r.num_ctx = r.pending.front().num_ctx;
  after(world_.io, Milliseconds(world_.settings.load_ms), [this, model, &r] {
    r.loading = false;
    r.loaded = true;
    schedule(model, r);
  });
}

void Runners::make_room() {
  std::size_t count = 0;
  Runner* victim = nullptr;
  for (auto& [name, r] : runners_) {
    if (!r->loaded) continue;
    ++count;
    if (r->slots.idle() && !r->loading && (!victim || r->expires < victim->expires))
      victim = r.get();
  }
  if (count < max_loaded_models || victim == nullptr) return;
  victim->loaded = false;
  world_.counts.add("unloads");
}

void Runners::expire(Runner& r) {
  if (!r.loaded || r.loading || r.keep_alive_s < 0 || !r.slots.idle()) return;
  if (Counts::Clock::now() < r.expires) return;
  r.loaded = false;
  world_.counts.add("unloads");
}

void Runners::unload(const std::string& model) {
  Runner& r = runner(model);
  if (!r.loaded || r.loading) return;
  r.loaded = false;
  world_.counts.add("unloads");
}

std::vector<LoadedModel> Runners::loaded() {
  std::vector<LoadedModel> out;
  for (auto& [name, r] : runners_) {
    expire(*r);
    if (!r->loaded) continue;
    const double left = std::chrono::duration<double>(r->expires - Counts::Clock::now()).count();
    out.push_back({name, r->num_ctx, r->keep_alive_s < 0 ? -1.0 : std::max(left, 0.0)});
  }
  return out;
}

}  // namespace promptsweep::emulator
