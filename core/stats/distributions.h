// SPDX-License-Identifier: Apache-2.0
// The distribution functions that the tests of this module need. Boost.Math ends here. Tails are
// upper tails, accurate where they are tiny; `ln_` forms stay finite where the tail underflows.
// Nothing throws: arguments outside the stated domain are a broken promise of the caller.
#pragma once

namespace promptsweep {

double normal_upper_tail(double z);
double ln_normal_upper_tail(double z);
double normal_cdf(double z);
double normal_quantile(double p);  // REQUIRES: 0 < p < 1

// REQUIRES: df >= 1.
double student_t_upper_tail(double t, double df);
double ln_student_t_upper_tail(double t, double df);  // REQUIRES: t > 0
double student_t_quantile(double p, double df);       // REQUIRES: 0 < p < 1

// P(X = k) for X ~ Bin(n, 1/2). REQUIRES: 0 <= k <= n.
double half_binomial_pmf(double n, double k);
double ln_half_binomial_pmf(double n, double k);

// x with I_x(a, b) = p, and its complement 1 - x without cancellation. REQUIRES: a, b > 0,
// 0 < p < 1.
struct BetaQuantile {
  double x, complement;
};
BetaQuantile beta_quantile(double a, double b, double p);

// Gamma(a) / Gamma(a + delta). REQUIRES: a > 0, a + delta > 0.
double gamma_ratio(double a, double delta);

}  // namespace promptsweep
