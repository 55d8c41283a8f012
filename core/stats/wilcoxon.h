// SPDX-License-Identifier: Apache-2.0
// Wilcoxon's signed-rank test of paired differences. Zeros are dropped first ("wilcox"); equal
// magnitudes share a midrank and are recognised on the doubles as given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace promptsweep {

struct Wilcoxon {
  std::int64_t n_zero = 0;
  std::int64_t n_used = 0;
  double w_plus = 0, w_minus = 0;
  // Of the normal approximation without continuity correction; absent without non-zero deltas.
  std::optional<double> z;
  double p_normal = 1;
  double ln_p_normal = 0;  // finite where p_normal underflows
  // Under the exact sign-flip distribution of the midranks; for n_used <= 100.
  std::optional<double> p_exact;
  std::optional<double> rank_biserial;  // (W+ - W-) / (W+ + W-); absent without non-zero deltas

  bool exact() const { return p_exact.has_value(); }
  double p() const { return p_exact.value_or(p_normal); }
};

Wilcoxon wilcoxon(std::span<const double> deltas);

// The median of all n (n + 1) / 2 averages of two deltas (each with itself too), exact for any n
// in O(n log n): no switch to another estimator for long vectors. Absent for none.
std::optional<double> hodges_lehmann(std::span<const double> deltas);

}  // namespace promptsweep
