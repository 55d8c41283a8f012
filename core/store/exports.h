// SPDX-License-Identifier: Apache-2.0
// Row exports of a trial, streamed from the stores of its arms and written atomically.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/item_source.h"
#include "records/plan.h"
#include "records/score.h"
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
                                       const std::vector<TrialArm>& arms, const ItemSource& items,
                                       bool behaviour_counts_as_wrong = false);

// What an arm has of one of its items.
struct ItemResults {
  // Every expected request, by sample.
  std::vector<ArmStore::StoredRequest> samples;
  // The scores whose means export_item_scores writes and analysis pairs, with behaviour outcomes
  // left out and scored as wrong.
  std::vector<Score> excluding, as_wrong;
};

// Visits the items that the arm asks, in item order; `position` is the item's in `items`. `ok`
// answers enter with their stored score; where one has none yet, Code::state at the end. Missing
// data never enters. Behaviour outcomes (truncated, empty, filtered) scored as wrong enter as: em
// 0, f1 0 where the item's metric defines it (open-book and TriviaQA), not abstained, false_answer
// 1 for an unanswerable question, unsupported unmeasured. The arm's requests must be in the order
// of `items`, an item's together; a request of another item is Code::data.
Status for_each_item_result(
    ArmStore& store, const ItemSource& items,
    const std::function<Status(std::int64_t position, const Item&, const ItemResults&)>& visit);

}  // namespace promptsweep
