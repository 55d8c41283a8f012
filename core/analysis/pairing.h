// SPDX-License-Identifier: Apache-2.0
// Joins the two arms of a trial by item. Missing stays missing and keeps its reason.
#pragma once

#include <vector>

#include "analysis/findings.h"
#include "analysis/trial_data.h"

namespace promptsweep {

struct ItemSide {
  bool expected = false;             // the arm asks this item
  const ItemScore* score = nullptr;  // absent: no scored answer
  Outcome reason = Outcome::ok;      // why there is no score: the first outcome that is not ok
  const ItemTally* tally = nullptr;
};

// Pointers are into the arms; they live as long as those.
struct ItemPair {
  const ItemTally* item = nullptr;  // of whichever arm has it
  ItemSide control, treatment;
  bool paired() const { return control.score != nullptr && treatment.score != nullptr; }
};

// Which of an arm's two score lists.
enum class Analysis { primary, other };

// Every item that either arm expects, in item order. An absent arm (nullptr) gives sides that are
// not expected.
std::vector<ItemPair> pair_items(const ArmData* control, const ArmData* treatment,
                                 Analysis analysis);

// REQUIRES: pairs of one block.
AttritionFinding attrition(const std::vector<ItemPair>& pairs);

}  // namespace promptsweep
