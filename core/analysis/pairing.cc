// SPDX-License-Identifier: Apache-2.0
#include "analysis/pairing.h"

#include <map>
#include <string_view>
#include <utility>

#include "stats/mcnemar.h"

namespace promptsweep {
namespace {

using Counts = std::map<Outcome, std::int64_t>;

Outcome reason_of(const ItemTally& tally) {
  for (const auto& [outcome, count] : tally.outcomes) {
    if (outcome != Outcome::ok && count > 0) return outcome;
  }
  return Outcome::ok;
}

int samples_of(const ItemTally& tally) {
  int total = 0;
  for (const auto& [outcome, count] : tally.outcomes) total += count;
  return total;
}

// A data set may be asked open-book and closed-book: the key alone does not name an item.
using ItemId = std::pair<std::string_view, TaskType>;

void fill(std::vector<ItemPair>& pairs, std::map<ItemId, std::size_t>& at, const ArmData* arm,
          Analysis analysis, ItemSide ItemPair::*side) {
  if (arm == nullptr) return;
  for (const ItemTally& tally : arm->items) {
    const auto [entry, fresh] = at.emplace(ItemId(tally.item_key, tally.type), pairs.size());
    if (fresh) pairs.push_back({&tally, {}, {}});
    pairs[entry->second].*side = {true, nullptr, reason_of(tally), &tally};
  }
  const auto& scores = analysis == Analysis::primary ? arm->scores : arm->scores_other;
  for (const ItemScore& score : scores) {
    const auto found = at.find({score.item_key, score.type});
    if (found != at.end()) (pairs[found->second].*side).score = &score;
  }
}

struct SideCounts {
  Counts requests, missing;
  std::int64_t partial = 0;

  void add(const ItemSide& side) {
    if (!side.expected) return;
    for (const auto& [outcome, count] : side.tally->outcomes) requests[outcome] += count;
    if (side.score == nullptr) {
      ++missing[side.reason];
    } else if (side.score->samples < samples_of(*side.tally)) {
      ++partial;
    }
  }
};

std::vector<std::pair<Outcome, std::int64_t>> list(const Counts& counts) {
  return {counts.begin(), counts.end()};
}

}  // namespace

std::vector<ItemPair> pair_items(const ArmData* control, const ArmData* treatment,
                                 Analysis analysis) {
  std::vector<ItemPair> pairs;
  std::map<ItemId, std::size_t> at;
  fill(pairs, at, control, analysis, &ItemPair::control);
  fill(pairs, at, treatment, analysis, &ItemPair::treatment);
  return pairs;
}

AttritionFinding attrition(const std::vector<ItemPair>& pairs) {
  AttritionFinding out;
  SideCounts control, treatment;
  for (const ItemPair& pair : pairs) {
    ++out.n_items;
    control.add(pair.control);
    treatment.add(pair.treatment);
    const bool in_control = pair.control.score != nullptr;
    const bool in_treatment = pair.treatment.score != nullptr;
    out.n_pairs += in_control && in_treatment;
    out.only_control_missing += !in_control && in_treatment;
    out.only_treatment_missing += in_control && !in_treatment;
    out.both_missing += !in_control && !in_treatment;
  }
  out.control_requests = list(control.requests);
  out.treatment_requests = list(treatment.requests);
  out.control_missing = list(control.missing);
  out.treatment_missing = list(treatment.missing);
  out.control_partial = control.partial;
  out.treatment_partial = treatment.partial;
  out.p = mcnemar(out.only_treatment_missing, out.only_control_missing).p_exact;
  if (out.n_items > 0) {
    out.pairing_rate = static_cast<double>(out.n_pairs) / static_cast<double>(out.n_items);
  }
  return out;
}

}  // namespace promptsweep
