// SPDX-License-Identifier: Apache-2.0
#include "run/score_pass.h"

#include "base/digest.h"
#include "records/decoding.h"
#include "store/arm_store.h"

namespace promptsweep {
namespace {

Status score_arm(ArmStore& store, const ItemSource& items, const ScoringRules& rules,
                 const std::string& hash) {
  return store.score_all(
      hash, [&](const ArmStore::AcceptedResult& row) -> Result<std::optional<Score>> {
        if (row.result.outcome != Outcome::ok) return std::optional<Score>();
        const Result<std::optional<Item>> item = items.find(row.request.item_key);
        if (!item) return item.error();
        if (!*item) return Error{Code::data, "no such item: " + row.request.item_key};
        return std::optional<Score>(score_answer(**item, row.result.text, rules));
      });
}

}  // namespace

// A store never replaces a result, so the store, its arm (whose id holds its items) and the number
// of accepted results name the answers exactly.
std::string scores_hash(const ArmSpec& arm, const ArmProgress& progress,
                        const ScoringRules& rules) {
  FieldHash hash;
  hash.add("scores").add(std::int64_t{scoring_version}).add(arm.arm_id);
  hash.add(progress.store_id).add(progress.accepted);
  for (const std::string& phrase : rules.abstention_phrases) hash.add(phrase);
  hash.add(rules.unsupported.strategy == UnsupportedRule::Strategy::baseline ? "baseline"
                                                                             : "overlap");
  hash.add(format_number(rules.unsupported.min_token_overlap));
  hash.add(format_number(rules.unsupported_threshold));
  return sha256_hex(hash.bytes());
}

namespace {

struct ScoreState {
  std::string wanted;  // the hash that scores of today's answers by today's rules have
  bool is_current = false;
};

Result<ScoreState> score_state(RunStore& run, const ArmSpec& arm, const ScoringRules& rules) {
  Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
  if (!store) return std::move(store).error();
  const Result<ArmProgress> progress = (*store)->progress();
  if (!progress) return progress.error();
  const Result<std::string> known = (*store)->scores_input_hash();
  if (!known) return known.error();
  std::string wanted = scores_hash(arm, *progress, rules);
  const bool is_current = wanted == *known;
  return ScoreState{std::move(wanted), is_current};
}

}  // namespace

Result<bool> arms_are_scored(RunStore& run, const RunPlan& plan, const ScoringRules& rules) {
  for (const ArmSpec& arm : plan.arms) {
    const Result<ScoreState> state = score_state(run, arm, rules);
    if (!state) return state.error();
    if (!state->is_current) return false;
  }
  return true;
}

Status score_arms(RunStore& run, const RunPlan& plan, const ScoringRules& rules, Observer& observer,
                  bool again) {
  for (const ArmSpec& arm : plan.arms) {
    const Result<ScoreState> state = score_state(run, arm, rules);
    if (!state) return state.error();
    if (state->is_current && !again) {
      observer.phase_skipped("score", arm.arm_id);
      continue;
    }
    observer.phase_started("score", arm.arm_id);
    Result<std::unique_ptr<ArmStore>> store = run.open_arm(arm);
    if (!store) return std::move(store).error();
    // What the arm was planned with: an edit of the data since then made other arms.
    const Result<std::unique_ptr<ItemSource>> items = run.items_of(arm.arm_id);
    if (!items) return items.error();
    if (Status scored = score_arm(**store, **items, rules, state->wanted); !scored) {
      return std::move(scored).error().in("arm " + arm.arm_id);
    }
  }
  return ok;
}

}  // namespace promptsweep
