// SPDX-License-Identifier: Apache-2.0
#include "records/score.h"

#include <cmath>

namespace promptsweep {
namespace {

struct Moments {
  std::optional<double> mean, deviation;
};

// `measure` returns an optional<double>; samples without a value are left out.
template <class Measure>
Moments moments(const std::vector<Score>& scores, Measure measure) {
  double sum = 0;
  int count = 0;
  for (const Score& score : scores) {
    if (const std::optional<double> value = measure(score)) {
      sum += *value;
      ++count;
    }
  }
  Moments out;
  if (count == 0) return out;
  out.mean = sum / count;
  if (count < 2) return out;
  double squares = 0;
  for (const Score& score : scores) {
    if (const std::optional<double> value = measure(score)) {
      squares += (*value - *out.mean) * (*value - *out.mean);
    }
  }
  out.deviation = std::sqrt(squares / (count - 1));
  return out;
}

}  // namespace

ItemScore mean_over_samples(const Item& item, const std::vector<Score>& scores) {
  using Value = std::optional<double>;
  const Moments em = moments(scores, [](const Score& s) { return Value(s.em); });
  const Moments abstained =
      moments(scores, [](const Score& s) { return Value(s.abstained ? 1 : 0); });
  const Moments f1 = moments(scores, [](const Score& s) { return s.f1; });
  const Moments false_answer = moments(scores, [](const Score& s) { return s.false_answer; });
  const Moments unsupported = moments(scores, [](const Score& s) { return s.unsupported; });

  ItemScore out;
  out.item_key = item_key(item);
  out.type = item.type;
  out.dataset = item.dataset;
  out.is_unanswerable = item.is_unanswerable;
  out.samples = static_cast<int>(scores.size());
  out.em = em.mean.value_or(0);
  out.em_std = em.deviation;
  out.abstain_rate = abstained.mean.value_or(0);
  out.abstain_rate_std = abstained.deviation;
  out.f1 = f1.mean;
  out.f1_std = f1.deviation;
  out.false_answer_rate = false_answer.mean;
  out.false_answer_rate_std = false_answer.deviation;
  out.unsupported_rate = unsupported.mean;
  out.unsupported_rate_std = unsupported.deviation;
  return out;
}

}  // namespace promptsweep
