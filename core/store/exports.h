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
//   custom_id     escaped ('%' and '|' inside an id are %25 and %7C); dataset and item_id are not
//   temp          the shortest decimal: 0, 0.7, 0.25
//   total_tokens  prompt + completion; blank unless both are known
//   status        the outcome's name (records/outcome.h)
//   attempt       which of the request's results was accepted, from 1
//   latency_ms    three decimals
// Rows: item order, control before treatment, temperature ascending, sample index. Bytes that are
// no UTF-8 become U+FFFD here; the store keeps them. Returns the file's SHA-256. In the folder of a
// sealed run: Code::state.
Result<std::string> export_predictions(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& arms);

// per_item_scores.csv: abstain_rate, abstain_rate_std, condition, em, em_std, f1, f1_std,
// false_answer_rate, false_answer_rate_std, item_key, temp, type, unsupported_rate,
// unsupported_rate_std (alphabetical). Unmeasured is blank: an item of an arm without a scored
// answer has a row with blank measures. Rows are ordered as in predictions.csv, items as in
// `items`.
Result<std::string> export_item_scores(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& arms,
                                       const std::vector<Item>& items,
                                       bool behaviour_counts_as_wrong = false);

// The per-item means that export_item_scores writes and analysis pairs, in item order; items of
// the arm without a scored answer are absent. `ok` answers enter with their stored score; one that
// has none yet is Code::state. Missing data never enters. Behaviour outcomes (truncated, empty,
// filtered) are left out, or with `behaviour_counts_as_wrong` enter as: em 0, f1 0 where the
// item's metric defines it (open-book and TriviaQA), not abstained, false_answer 1 for an
// unanswerable question, unsupported unmeasured. A stored answer to an item that is not in `items`
// is Code::data. With Unscored::leave_out an `ok` answer without a score counts as not answered.
enum class Unscored { is_an_error, leave_out };
Result<std::vector<ItemScore>> item_scores(ArmStore& store, const std::vector<Item>& items,
                                           bool behaviour_counts_as_wrong,
                                           Unscored unscored = Unscored::is_an_error);

}  // namespace promptsweep
