// SPDX-License-Identifier: Apache-2.0
#include "analysis/pairing.h"

#include <cassert>

#include "stats/mcnemar.h"

namespace promptsweep {
namespace {

bool has_items(const ArmData* arm) { return arm != nullptr && arm->items != nullptr; }

struct SideCounts {
  OutcomeCounts missing;
  std::int64_t partial = 0;

  void add(const ItemSide& side) {
    if (!side.expected()) return;
    if (side.score == nullptr) {
      ++missing[side.cell->reason];
    } else if (side.score->samples < side.cell->expected) {
      ++partial;
    }
  }
};

std::vector<std::pair<Outcome, std::int64_t>> list(const OutcomeCounts& counts) {
  return {counts.begin(), counts.end()};
}

}  // namespace

ItemPairs::ItemPairs(const ArmData* control, const ArmData* treatment, Analysis analysis)
    : control_(has_items(control) ? control : nullptr),
      treatment_(has_items(treatment) ? treatment : nullptr),
      analysis_(analysis) {
  static const ItemTable none;
  table_ = control_ != nullptr     ? control_->items.get()
           : treatment_ != nullptr ? treatment_->items.get()
                                   : &none;
  assert(control_ == nullptr || treatment_ == nullptr ||
         control_->items->items.size() == treatment_->items->items.size());
  for (std::uint32_t i = 0; i < table_->items.size(); ++i) {
    if (side_of(control_, i).expected() || side_of(treatment_, i).expected())
      positions_.push_back(i);
  }
}

template <class Keep>
ItemPairs ItemPairs::only(Keep keep) const {
  ItemPairs out;
  out.control_ = control_;
  out.treatment_ = treatment_;
  out.table_ = table_;
  out.analysis_ = analysis_;
  out.type_ = type_;
  out.dataset_ = dataset_;
  for (const std::uint32_t position : positions_) {
    if (keep(table_->items[position])) out.positions_.push_back(position);
  }
  return out;
}

ItemPairs ItemPairs::of_type(TaskType type) const {
  ItemPairs out = only([&](const ItemTable::Entry& item) { return item.type() == type; });
  out.type_ = type;
  return out;
}

ItemPairs ItemPairs::of_dataset(std::uint16_t dataset) const {
  ItemPairs out = only([&](const ItemTable::Entry& item) { return item.dataset == dataset; });
  out.dataset_ = dataset;
  return out;
}

ItemPairs ItemPairs::as(Analysis analysis) const {
  ItemPairs out = *this;
  out.analysis_ = analysis;
  return out;
}

ItemSide ItemPairs::side_of(const ArmData* arm, std::uint32_t position) const {
  if (arm == nullptr || arm->cells[position].expected == 0) return {};
  const ItemCell& cell = arm->cells[position];
  const ItemSums& sums = analysis_ == Analysis::primary ? cell.primary : cell.other;
  return {&cell, sums.scored() ? &sums : nullptr};
}

ItemPair ItemPairs::operator[](std::size_t index) const {
  const std::uint32_t position = positions_[index];
  return {&table_->items[position], position, side_of(control_, position),
          side_of(treatment_, position)};
}

OutcomeCounts ItemPairs::requests_of(const ArmData* arm) const {
  OutcomeCounts out;
  if (arm == nullptr) return out;
  for (const auto& [kind, counts] : arm->requests) {
    if (type_ && kind.first != *type_) continue;
    if (dataset_ && kind.second != *dataset_) continue;
    for (const auto& [outcome, count] : counts) out[outcome] += count;
  }
  return out;
}

AttritionFinding attrition(const ItemPairs& pairs) {
  AttritionFinding out;
  SideCounts control, treatment;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const ItemPair pair = pairs[i];
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
  out.control_requests = list(pairs.control_requests());
  out.treatment_requests = list(pairs.treatment_requests());
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
