// SPDX-License-Identifier: Apache-2.0
// Student's t on paired differences: the mean with its interval, and equivalence tests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "stats/interval.h"

namespace promptsweep {

struct Moments {
  std::int64_t n = 0;
  double mean = 0;
  std::optional<double> sd;  // n - 1; absent below 2 values; exactly 0 when all are equal
};
Moments moments(std::span<const double> values);

struct PairedT {
  Moments moments;
  std::optional<double> se;
  std::optional<double> t;  // infinite at sd 0 and mean != 0; absent when both are 0
  std::optional<double> p_two, p_greater, p_less;
  std::optional<double> ln_p_two;  // finite where p_two underflows; absent at sd 0
  std::optional<Interval> ci;
};
PairedT paired_t(std::span<const double> deltas, double conf_level = 0.95);

// Two one-sided tests of low < mean < high at level alpha each.
struct Tost {
  std::optional<double> t_lower, p_lower;  // H0: mean <= low
  std::optional<double> t_upper, p_upper;  // H0: mean >= high
  std::optional<double> p;                 // the larger; absent if either is
  std::optional<Interval> ci;              // level 1 - 2 alpha
};
Tost tost(std::span<const double> deltas, double low, double high, double alpha);

// H0: mean <= -margin.
struct NonInferiority {
  std::optional<double> t, p;
  std::optional<double> lower_bound;  // one-sided, level 1 - alpha
};
NonInferiority non_inferiority(std::span<const double> deltas, double margin, double alpha);

}  // namespace promptsweep
