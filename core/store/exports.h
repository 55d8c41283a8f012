// SPDX-License-Identifier: Apache-2.0
// Row exports of a trial, streamed from the stores of its arms and written atomically.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/item.h"
#include "records/plan.h"
#include "store/arm_store.h"

namespace promptsweep {

struct TrialArm {
  Condition condition;
  double temperature;
  ArmStore* store;
};

// predictions.csv, RFC 4180 quoting, LF. Columns: custom_id, dataset, item_id, condition, temp,
// sample_index, type, request_id (the provider's id), finish_reason, response_text, prompt_tokens,
// completion_tokens, total_tokens, status, attempt, cached, latency_ms, request_key. Every expected
// request has a row; one without an accepted result has status "missing" and empty values.
Result<std::string> export_predictions(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& arms);

// per_item_scores.csv: abstain_rate, abstain_rate_std, condition, em, em_std, f1, f1_std,
// false_answer_rate, false_answer_rate_std, item_key, temp, type, unsupported_rate,
// unsupported_rate_std (alphabetical). Unmeasured is blank.
Result<std::string> export_item_scores(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& arms,
                                       const std::vector<Item>& items);

// The per-item means that export_item_scores writes and analysis pairs, in item order.
Result<std::vector<ItemScore>> item_scores(ArmStore& store, const std::vector<Item>& items,
                                           bool behaviour_counts_as_wrong);

}  // namespace promptsweep
