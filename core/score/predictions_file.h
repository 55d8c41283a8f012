// SPDX-License-Identifier: Apache-2.0
// Other people's predictions against a data set, by its official evaluation. Knows no outcomes: an
// empty answer to a SQuAD question is the answer "there is none".
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "records/item.h"

namespace promptsweep {

struct PredictionScores {
  Metric metric = Metric::squad_v2;
  // In percent, as the official scripts print them.
  double exact = 0, f1 = 0;
  std::int64_t total = 0;
  std::int64_t missing = 0;  // items without a prediction
  std::int64_t unknown = 0;  // predictions without an item
  struct Part {
    double exact = 0, f1 = 0;
    std::int64_t total = 0;
  };
  std::optional<Part> has_answer, no_answer;  // SQuAD 2.0
  std::vector<std::pair<std::string, std::pair<double, double>>>
      per_question;  // id -> em, f1 in [0, 1]
};

// `predictions`: JSON {id: answer}, or JSON lines of {"id", "prediction"}. All items must be of one
// metric. A question without a prediction counts as in the data set's own script: SQuAD 2.0 leaves
// it out of exact, f1 and total (and then fails on HasAns and NoAns; here these leave it out too);
// SQuAD 1.1, TriviaQA and NQ-open score it 0. A prediction without a question is counted and
// otherwise ignored.
Result<PredictionScores> score_predictions(const std::filesystem::path& predictions,
                                           const std::vector<Item>& items);

// {"exact", "f1", "total", "HasAns_exact", ...}, the members of the official script; and
// "per_question": {id: [exact, f1]} when asked for.
std::string to_json(const PredictionScores& scores, bool per_question = false);

// The same numbers as lines of "name value", with every digit.
std::string to_text(const PredictionScores& scores);

}  // namespace promptsweep
