// SPDX-License-Identifier: Apache-2.0
// The metrics of an item, by name.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "analysis/trial_data.h"
#include "records/item.h"

namespace promptsweep {

struct MetricDefinition {
  std::string_view name;
  bool closed_book, open_book;  // measured for items of this type
  bool rate;                    // 0 or 1 for one answer, so a rate over several; f1 is not
  // The mean over the item's samples that have it.
  std::optional<double> (*value)(const ItemSums&, bool is_unanswerable);

  bool applies_to(TaskType type) const {
    return type == TaskType::closed_book ? closed_book : open_book;
  }
};

// em, em_answerable, f1, abstain_rate, false_answer_rate, unsupported_rate, in this order.
// em_answerable leaves unanswerable questions out, where em credits abstention as accuracy;
// false_answer_rate is over unanswerable questions only.
std::span<const MetricDefinition> metric_definitions();

}  // namespace promptsweep
