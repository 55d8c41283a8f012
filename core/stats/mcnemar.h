// SPDX-License-Identifier: Apache-2.0
// McNemar's test of paired yes/no outcomes, from the discordant counts alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "stats/interval.h"

namespace promptsweep {

// a: both; b: treatment only (a win); c: control only (a loss); d: neither.
struct PairedTable {
  std::int64_t a = 0, b = 0, c = 0, d = 0;
  std::int64_t n_missing = 0;  // pairs with either side missing
  std::int64_t n_missing_control = 0, n_missing_treatment = 0;
  std::int64_t n() const { return a + b + c + d; }
};

// A value >= 0.5 has the property. REQUIRES: equal lengths.
PairedTable paired_table(std::span<const std::optional<double>> control,
                         std::span<const std::optional<double>> treatment);

// The same of pairs that are all complete.
PairedTable paired_table(std::span<const double> control, std::span<const double> treatment);

struct McNemar {
  std::int64_t n_discordant = 0;
  double p_exact = 1;     // two-sided binomial: min(1, 2 P(X <= min(b, c)))
  double ln_p_exact = 0;  // finite where p_exact underflows
  double p_midp = 1;
  double p_b_greater = 1;            // one-sided: P(X >= b)
  std::optional<double> odds_ratio;  // b / c, infinite at c = 0; absent without discordant pairs
  Interval odds_ratio_ci;            // Clopper-Pearson of b / (b + c), mapped to odds
};

// REQUIRES: b, c >= 0; 0 < conf_level < 1.
McNemar mcnemar(std::int64_t b, std::int64_t c, double conf_level = 0.95);

}  // namespace promptsweep
