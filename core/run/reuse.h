// SPDX-License-Identifier: Apache-2.0
// Answers of earlier runs: put into an arm instead of asking, and kept when an arm is complete.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "records/plan.h"
#include "store/arm_store.h"
#include "store/response_cache.h"

namespace promptsweep {

// --reuse: whose requests may be answered from earlier runs. Within one run a control runs once
// whatever this says.
enum class Reuse { none, controls, all };
std::string_view to_string(Reuse reuse);
std::optional<Reuse> reuse_from(std::string_view name);

// Whether `arm` may take answers from the cache. The salted arm of an A/A trial never may.
bool may_reuse(Reuse reuse, const ArmSpec& arm);
// Why answers of this arm are neither kept nor taken, one sentence for people; nullopt: they are.
std::optional<std::string> why_not_cached(const ArmSpec& arm, const std::string& engine_identity);

// The key of one request. Code::data when the arm's identity document makes no sense.
Result<std::function<std::string(const RequestRow&)>> cache_keys(
    const ArmSpec& arm, const std::string& engine_identity);

// Puts the cached answer of every pending request into `store` and flushes. Requests in open jobs
// are left alone. `filled` hears the id of each request that was answered. Returns how many. After
// an error what was put stays, the rest is pending: go on without the cache.
// REQUIRES: may_reuse, why_not_cached gives nothing, and the store's engine identity is recorded.
Result<std::int64_t> fill_from_cache(ArmStore& store, const ArmSpec& arm,
                                     const std::string& engine_identity, ResponseCache& cache,
                                     const std::function<void(const std::string&)>& filled = {});

// Keeps the answers of an arm: nothing unless it is complete. Rows that came from the cache are
// marked as used. Returns how many rows are new there.
// REQUIRES: why_not_cached gives nothing.
Result<std::int64_t> enter_into_cache(ArmStore& store, const ArmSpec& arm, const EngineSpec& engine,
                                      const std::string& run_id, ResponseCache& cache);

}  // namespace promptsweep
