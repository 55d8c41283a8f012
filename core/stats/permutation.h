// SPDX-License-Identifier: Apache-2.0
// Sign-flip test of the mean of paired differences: under the null every delta is as likely to
// have the other sign.
#pragma once

#include <cstdint>
#include <span>

namespace promptsweep {

struct Permutation {
  double p_two = 1;  // P(|S| >= |observed sum|)
  bool exact = true;
  // Of the exact forms only; Monte-Carlo leaves them at 1.
  double p_greater = 1;  // P(S >= observed)
  double p_less = 1;     // P(S <= observed)
};

// Over all 2^n sign patterns where that is cheap: deltas that are multiples of some 1/k, k <= 100
// (by convolution), or at most 20 of them that are not zero (by enumeration). Else Monte-Carlo,
// (1 + count) / (samples + 1), which is never 0. Sums that differ by rounding only are equal.
// REQUIRES: samples >= 1.
Permutation sign_flip(std::span<const double> deltas, int samples, std::uint64_t seed);

// Always Monte-Carlo.
Permutation sign_flip_monte_carlo(std::span<const double> deltas, int samples, std::uint64_t seed);

}  // namespace promptsweep
