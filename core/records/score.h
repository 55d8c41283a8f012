// SPDX-License-Identifier: Apache-2.0
// What scoring says of one answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "records/item.h"

namespace promptsweep {

// Every measure is absent where it is not defined (never 0 for "not measured").
struct Score {
  double em = 0;                       // exact match, 0 or 1
  std::optional<double> f1;            // token F1; open-book and TriviaQA, see core/score
  bool abstained = false;              // the whole answer is a refusal phrase
  std::optional<double> false_answer;  // unanswerable questions only: 1 = answered anyway
  std::optional<double> unsupported;   // open-book, not abstained: 1 = not found in the passage
};

// The mean over an item's samples in one arm; what statistics pair.
struct ItemScore {
  std::string item_key;
  TaskType type = TaskType::closed_book;
  std::string dataset;
  bool is_unanswerable = false;
  int samples = 0;  // scored samples
  double em = 0;
  double abstain_rate = 0;
  std::optional<double> f1;
  std::optional<double> false_answer_rate;
  std::optional<double> unsupported_rate;
  // Sample standard deviations over the samples; absent below two samples.
  std::optional<double> em_std, abstain_rate_std, f1_std, false_answer_rate_std,
      unsupported_rate_std;
};

// Mean and sample standard deviation over an item's samples. REQUIRES: !scores.empty().
ItemScore mean_over_samples(const Item& item, const std::vector<Score>& scores);

}  // namespace promptsweep
