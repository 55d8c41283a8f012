// SPDX-License-Identifier: Apache-2.0
// Joins the two arms of a trial by item. Missing stays missing and keeps its reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "analysis/trial_data.h"

namespace promptsweep {

// Which of an item's two sums.
enum class Analysis { primary, other };

struct ItemSide {
  const ItemCell* cell = nullptr;   // absent: the arm does not ask this item
  const ItemSums* score = nullptr;  // absent: no scored answer

  bool expected() const { return cell != nullptr; }
};

struct ItemPair {
  const ItemTable::Entry* item = nullptr;
  std::size_t position = 0;  // in the table of items
  ItemSide control, treatment;
  bool paired() const { return control.score != nullptr && treatment.score != nullptr; }
};

// Some of the items that either arm asks, paired by position, in item order: 4 bytes an item beside
// the arms, which must outlive it.
class ItemPairs {
 public:
  // All of them. An absent arm (nullptr) asks nothing. REQUIRES: arms that have items have the same
  // ones.
  ItemPairs(const ArmData* control, const ArmData* treatment, Analysis analysis);

  // Those of one task type or data set; the outcomes of requests go with them.
  ItemPairs of_type(TaskType type) const;
  ItemPairs of_dataset(std::uint16_t dataset) const;
  ItemPairs as(Analysis analysis) const;

  std::size_t size() const { return positions_.size(); }
  bool empty() const { return positions_.empty(); }
  ItemPair operator[](std::size_t index) const;
  const std::vector<std::string>& datasets() const { return table_->datasets; }

  // Requests of an arm by outcome, over the items here.
  OutcomeCounts control_requests() const { return requests_of(control_); }
  OutcomeCounts treatment_requests() const { return requests_of(treatment_); }

 private:
  ItemPairs() = default;
  template <class Keep>
  ItemPairs only(Keep keep) const;
  ItemSide side_of(const ArmData* arm, std::uint32_t position) const;
  OutcomeCounts requests_of(const ArmData* arm) const;

  const ArmData* control_ = nullptr;
  const ArmData* treatment_ = nullptr;
  const ItemTable* table_ = nullptr;
  Analysis analysis_ = Analysis::primary;
  std::optional<TaskType> type_;  // absent: all
  std::optional<std::uint16_t> dataset_;
  std::vector<std::uint32_t> positions_;
};

// REQUIRES: pairs of one block.
AttritionFinding attrition(const ItemPairs& pairs);

}  // namespace promptsweep
