// SPDX-License-Identifier: Apache-2.0
#include "run/reuse.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace promptsweep {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<Reuse, std::string_view>, 3> reuse_names{
    {{Reuse::none, "none"}, {Reuse::controls, "controls"}, {Reuse::all, "all"}}};

}  // namespace

std::string_view to_string(Reuse reuse) {
  for (const auto& [value, name] : reuse_names) {
    if (value == reuse) return name;
  }
  return "none";
}

std::optional<Reuse> reuse_from(std::string_view name) {
  for (const auto& [value, known] : reuse_names) {
    if (known == name) return value;
  }
  return std::nullopt;
}

bool may_reuse(Reuse reuse, const ArmSpec& arm) {
  if (!arm.salt.empty() || reuse == Reuse::none) return false;
  return reuse == Reuse::all || arm.condition == Condition::control;
}

std::optional<std::string> why_not_cached(const ArmSpec& arm, const std::string& engine_identity) {
  if (!arm.salt.empty()) {
    return "answers of an A/A arm are neither kept for later runs nor taken from earlier ones";
  }
  if (engine_identity.empty() || engine_identity == "{}") {
    return "the engine does not say what it is, so its answers are not kept for later runs";
  }
  if (!is_cacheable_identity(engine_identity)) {
    return "answers of a dry run are not kept for later runs";
  }
  return std::nullopt;
}

Result<std::function<std::string(const RequestRow&)>> cache_keys(
    const ArmSpec& arm, const std::string& engine_identity) {
  const json identity = json::parse(arm.identity_json, nullptr, false);
  const bool readable = identity.is_object() && identity.contains("options") &&
                        identity.contains("backend") && identity["backend"].is_string();
  if (!readable) {
    return Error{Code::data, "arm " + arm.arm_id + ": its identity names no backend and options"};
  }
  ResponseKeyParts parts;
  parts.backend = identity["backend"].get<std::string>();
  parts.answer_options = identity["options"].dump();
  parts.engine_identity = engine_identity;
  parts.seed_is_sent = arm.decoding.temperature > 0;
  return std::function<std::string(const RequestRow&)>(
      [parts = std::move(parts)](const RequestRow& row) mutable {
        parts.content_sha256 = row.content_sha256;
        parts.seed = row.seed;
        parts.sample_index = row.sample_index;
        return response_cache_key(parts);
      });
}

Result<std::int64_t> fill_from_cache(ArmStore& store, const ArmSpec& arm,
                                     const std::string& engine_identity, ResponseCache& cache,
                                     const std::function<void(const std::string&)>& filled) {
  Result<std::function<std::string(const RequestRow&)>> key = cache_keys(arm, engine_identity);
  if (!key) return std::move(key).error();
  const Result<std::vector<ArmStore::RequestState>> states = store.request_states();
  if (!states) return states.error();
  std::int64_t count = 0;
  Status result = store.for_each_request([&](std::int64_t position, const RequestRow& request) {
    const ArmStore::RequestState& state = (*states)[static_cast<std::size_t>(position)];
    if (state.accepted || state.in_job) return Status(ok);
    Result<std::optional<ResultRow>> found = cache.find((*key)(request));
    if (!found) return Status(std::move(found).error());
    if (!*found) return Status(ok);
    ResultRow row = **std::move(found);
    row.request_id = request.request_id;
    if (Status put = store.put_result(row); !put) return put;
    ++count;
    if (filled) filled(request.request_id);
    return Status(ok);
  });
  Status flushed = store.flush();
  if (!result) return std::move(result).error();
  if (!flushed) return std::move(flushed).error();
  return count;
}

Result<std::int64_t> enter_into_cache(ArmStore& store, const ArmSpec& arm, const EngineSpec& engine,
                                      const std::string& run_id, ResponseCache& cache) {
  if (Status flushed = store.flush(); !flushed) return std::move(flushed).error();
  Result<ArmProgress> progress = store.progress();
  if (!progress) return std::move(progress).error();
  if (!progress->complete()) return std::int64_t{0};
  Result<std::string> identity = store.engine_identity();
  if (!identity) return std::move(identity).error();
  Result<std::function<std::string(const RequestRow&)>> key = cache_keys(arm, *identity);
  if (!key) return std::move(key).error();
  const CacheArm from{arm.arm_id, run_id, engine.model, engine.backend, *identity};
  return cache.enter_arm(from, [&](const ResponseCache::Put& put) {
    return store.for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
      if (!is_cacheable(row.result.outcome)) return ok;
      return put((*key)(row.request), row.result);
    });
  });
}

}  // namespace promptsweep
