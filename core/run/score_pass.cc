// SPDX-License-Identifier: Apache-2.0
#include "run/score_pass.h"

#include "base/digest.h"
#include "prompt/render.h"
#include "records/decoding.h"
#include "store/arm_store.h"

namespace promptsweep {
namespace {

Status score_arm(ArmStore& store, const ItemIndex& items, const ScoringRules& rules,
                 const std::string& hash) {
  std::vector<std::pair<std::string, Score>> scores;
  Status visited = store.for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
    if (row.result.outcome != Outcome::ok) return ok;
    const Item* item = items.find(row.request.item_key);
    if (item == nullptr) return Error{Code::data, "no such item: " + row.request.item_key};
    scores.emplace_back(row.request.request_id, score_answer(*item, row.result.text, rules));
    return ok;
  });
  if (!visited) return visited;
  return store.put_scores(hash, scores);
}

}  // namespace

// A result is never replaced, so the arm (whose id holds its items) and the number of accepted
// results name the answers exactly.
std::string scores_hash(const ArmSpec& arm, const ArmProgress& progress,
                        const ScoringRules& rules) {
  FieldHash hash;
  hash.add("scores").add(std::int64_t{scoring_version}).add(arm.arm_id).add(progress.accepted);
  for (const std::string& phrase : rules.abstention_phrases) hash.add(phrase);
  hash.add(rules.unsupported.strategy == UnsupportedRule::Strategy::baseline ? "baseline"
                                                                             : "overlap");
  hash.add(format_number(rules.unsupported.min_token_overlap));
  hash.add(format_number(rules.unsupported_threshold));
  return sha256_hex(hash.bytes());
}

Result<bool> arms_are_scored(RunStore& run, const RunPlan& plan, const ScoringRules& rules) {
  for (const ArmSpec& arm : plan.arms) {
    Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
    if (!store) return std::move(store).error();
    Result<ArmProgress> progress = (*store)->progress();
    if (!progress) return std::move(progress).error();
    Result<std::string> known = (*store)->scores_input_hash();
    if (!known) return std::move(known).error();
    if (*known != scores_hash(arm, *progress, rules)) return false;
  }
  return true;
}

Status score_arms(RunStore& run, const RunPlan& plan, const ScoringRules& rules, Observer& observer,
                  bool again) {
  for (const ArmSpec& arm : plan.arms) {
    std::string hash;
    {
      Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
      if (!store) return std::move(store).error();
      Result<ArmProgress> progress = (*store)->progress();
      if (!progress) return std::move(progress).error();
      Result<std::string> known = (*store)->scores_input_hash();
      if (!known) return std::move(known).error();
      hash = scores_hash(arm, *progress, rules);
      if (*known == hash && !again) {
        observer.phase_skipped("score", arm.arm_id);
        continue;
      }
    }
    observer.phase_started("score", arm.arm_id);
    Result<std::unique_ptr<ArmStore>> store = run.open_arm(arm);
    if (!store) return std::move(store).error();
    // What the arm was planned with: an edit of the data since then made other arms.
    Result<std::vector<Item>> items = run.items_of(arm.arm_id);
    if (!items) return std::move(items).error();
    if (Status scored = score_arm(**store, ItemIndex(*items), rules, hash); !scored) {
      return std::move(scored).error().in("arm " + arm.arm_id);
    }
  }
  return ok;
}

}  // namespace promptsweep
