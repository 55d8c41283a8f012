// SPDX-License-Identifier: Apache-2.0
// Answers of earlier runs. A cache is never needed: an error from it is told once, and the run goes
// on without.
#include "run/engine_run.h"
#include "run/reuse.h"

namespace promptsweep {

void EngineRun::go_on_without_cache(const Error& error) {
  cache_.reset();
  if (std::exchange(warned_of_cache_, true)) return;
  observer_.message(Severity::warning, "going on without the response cache: " + error.text);
}

void EngineRun::open_cache() {
  if (options_.cache_path.empty()) return;
  Result<std::unique_ptr<ResponseCache>> cache = ResponseCache::open(options_.cache_path);
  if (!cache) return go_on_without_cache(cache.error());
  cache_ = std::move(cache).value();
}

Status EngineRun::take_from_cache() {
  for (auto& [id, arm] : arms_) {
    if (!cache_ || arm->complete() || !may_reuse(options_.reuse, arm->spec())) continue;
    if (const auto reason = why_not_cached(arm->spec(), identity_)) {
      observer_.message(Severity::info, *reason);
      continue;
    }
    Result<ArmStore*> store = arm->store();
    if (!store) return std::move(store).error();
    if (Status same = (*store)->record_engine_identity(identity_); !same) return same;
    const Result<std::int64_t> filled =
        fill_from_cache(**store, arm->spec(), identity_, *cache_, [&](const std::string&) {
          arm->count_accepted();
          ++reused_;
          ++progress_.accepted;
        });
    if (!filled) go_on_without_cache(filled.error());
    if (Status closed = close_arm_if_done(*arm, ""); !closed) return closed;
    // Left until its turn, so that an arm that runs changes no other.
    if (arm_has_jobs(*arm, "")) continue;
    if (Status closed = arm->close(); !closed) return closed;
  }
  return ok;
}

void EngineRun::keep_in_cache(ArmRun& arm) {
  if (!cache_ || why_not_cached(arm.spec(), identity_)) return;
  Result<ArmStore*> store = arm.store();
  if (!store) return go_on_without_cache(store.error());
  const Result<std::int64_t> kept =
      enter_into_cache(**store, arm.spec(), engine_, plan_.run_id, *cache_);
  if (!kept) go_on_without_cache(kept.error());
}

}  // namespace promptsweep
