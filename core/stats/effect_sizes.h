// SPDX-License-Identifier: Apache-2.0
// Sizes of paired effects; what each ignores is said with it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace promptsweep {

struct EffectSizes {
  std::optional<double> d_z;   // mean / sd of the deltas; absent below 2 pairs and at sd 0
  std::optional<double> g_z;   // d_z with Hedges' exact small-sample factor
  std::optional<double> d_av;  // mean delta / mean of the two sds; absent when both are 0
  // (#{t_i > c_j} - #{t_i < c_j}) / n^2 over all i and j: ignores the pairing. Absent at n = 0.
  std::optional<double> cliffs_delta;
  std::optional<double> paired_dominance;  // (wins - losses) / n: ignores magnitudes
  std::int64_t wins = 0, losses = 0, ties = 0;
};

// REQUIRES: equal lengths; pairs with a missing side dropped before.
EffectSizes effect_sizes(std::span<const double> control, std::span<const double> treatment);

// 2 asin(sqrt p1) - 2 asin(sqrt p2); p1 is the treatment's. REQUIRES: both in [0, 1].
double cohens_h(double p1, double p2);

}  // namespace promptsweep
