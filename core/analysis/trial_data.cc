// SPDX-License-Identifier: Apache-2.0
#include "analysis/trial_data.h"

#include <limits>
#include <optional>

namespace promptsweep {
namespace {

// Counts a measure that is 0 or 1; false: it is something else.
bool count(const std::optional<double>& value, std::uint16_t& sum, std::uint16_t& measured) {
  if (!value) return true;
  ++measured;
  if (*value == 1) ++sum;
  return *value == 0 || *value == 1;
}

}  // namespace

Result<ItemSums> ItemSums::of(const std::vector<Score>& scores) {
  ItemSums out;
  if (scores.size() > std::numeric_limits<std::uint16_t>::max()) {
    return Error{Code::unsupported, "an item has more than 65535 samples"};
  }
  double f1 = 0;
  std::uint16_t em_measured = 0;
  for (const Score& score : scores) {
    ++out.samples;
    if (score.abstained) ++out.abstained;
    if (score.f1) {
      f1 += *score.f1;
      ++out.f1_measured;
    }
    if (!count(score.em, out.em, em_measured) ||
        !count(score.false_answer, out.false_answers, out.false_answers_measured) ||
        !count(score.unsupported, out.unsupported, out.unsupported_measured)) {
      return Error{Code::data, "a score is neither 0 nor 1"};
    }
  }
  if (out.f1_measured > 0) out.f1 = f1 / out.f1_measured;
  return out;
}

void ArmData::add_sample(std::size_t position, Outcome outcome) {
  ItemCell& cell = cells[position];
  ++cell.expected;
  if (outcome != Outcome::ok && (cell.reason == Outcome::ok || outcome < cell.reason)) {
    cell.reason = outcome;
  }
  const ItemTable::Entry& item = items->items[position];
  ++requests[{item.type(), item.dataset}][outcome];
}

}  // namespace promptsweep
