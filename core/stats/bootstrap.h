// SPDX-License-Identifier: Apache-2.0
// Bootstrap intervals of a mean of paired differences: pairs are resampled with replacement.
#pragma once

#include <cstdint>
#include <span>

#include "stats/interval.h"

namespace promptsweep {

struct BootstrapMean {
  Interval percentile;
  // Bias-corrected and accelerated (Efron 1987); resamples equal to the observed mean count half.
  Interval bca;
  bool degenerate = false;  // all deltas equal: both intervals are that value
};

// `seed` decides the resamples and nothing else does: give each vector of deltas its own.
// REQUIRES: !deltas.empty(), fewer than 2^32 deltas, samples >= 1, 0 < conf_level < 1.
BootstrapMean bootstrap_mean(std::span<const double> deltas, int samples, std::uint64_t seed,
                             double conf_level = 0.95);

}  // namespace promptsweep
