// SPDX-License-Identifier: Apache-2.0
#include "stats/multiplicity.h"

#include <algorithm>
#include <cstddef>

namespace promptsweep {
namespace {

// What the p-value of rank i (1 = smallest) of m is multiplied by.
double factor(Correction correction, double i, double m, double harmonic) {
  switch (correction) {
    case Correction::bonferroni:
      return m;
    case Correction::holm:
    case Correction::hochberg:
      return m - i + 1;
    case Correction::bh:
      return m / i;
    case Correction::by:
      return m / i * harmonic;
  }
  return m;
}

}  // namespace

std::vector<std::optional<double>> adjust(const std::vector<std::optional<double>>& p_values,
                                          Correction correction) {
  std::vector<std::size_t> order;  // positions with a p-value, smallest first
  for (std::size_t i = 0; i < p_values.size(); ++i) {
    if (p_values[i]) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return *p_values[x] < *p_values[y]; });
  const auto m = static_cast<double>(order.size());
  double harmonic = 0;
  for (double k = 1; k <= m; ++k) harmonic += 1 / k;

  std::vector<std::optional<double>> out(p_values.size());
  const auto scaled = [&](std::size_t rank) {
    return std::min(1.0, *p_values[order[rank]] *
                             factor(correction, static_cast<double>(rank + 1), m, harmonic));
  };
  if (correction == Correction::bonferroni || correction == Correction::holm) {
    double running = 0;  // step down: never below a smaller p-value's
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      running = std::max(running, scaled(rank));
      out[order[rank]] = running;
    }
    return out;
  }
  double running = 1;  // step up: from the largest p-value, never above a larger one's
  for (std::size_t rank = order.size(); rank-- > 0;) {
    running = std::min(running, scaled(rank));
    out[order[rank]] = running;
  }
  return out;
}

}  // namespace promptsweep
