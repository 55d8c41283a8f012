// SPDX-License-Identifier: Apache-2.0
#include "stats/distributions.h"

#include <boost/math/policies/policy.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>
#include <numbers>

namespace promptsweep {
namespace {

namespace bmp = boost::math::policies;
// A domain error gives NaN and an overflow infinity, as the C library does.
using Quiet =
    bmp::policy<bmp::domain_error<bmp::ignore_error>, bmp::pole_error<bmp::ignore_error>,
                bmp::overflow_error<bmp::ignore_error>, bmp::underflow_error<bmp::ignore_error>,
                bmp::denorm_error<bmp::ignore_error>, bmp::evaluation_error<bmp::ignore_error>,
                bmp::rounding_error<bmp::ignore_error>,
                bmp::indeterminate_result_error<bmp::ignore_error>>;
const Quiet quiet;

const double ln_2 = std::numbers::ln2;

}  // namespace

double normal_upper_tail(double z) { return 0.5 * std::erfc(z / std::numbers::sqrt2); }
double normal_cdf(double z) { return normal_upper_tail(-z); }

double ln_normal_upper_tail(double z) {
  if (z < 30) return std::log(normal_upper_tail(z));
  // Q(z) = phi(z) / (z + 1/(z + 2/(z + 3/(z + ...)))), evaluated from the inside.
  double fraction = z;
  for (int k = 40; k >= 1; --k) fraction = z + k / fraction;
  return -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi) - std::log(fraction);
}

double normal_quantile(double p) {
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * p, quiet);
}

double student_t_upper_tail(double t, double df) {
  if (std::isinf(t)) return t > 0 ? 0 : 1;
  // I_x(df/2, 1/2) with x = df / (df + t^2); near t = 0 the complement is the accurate form.
  const double square = t * t;
  const double tail = df > 2 * square
                          ? boost::math::ibetac(0.5, df / 2, square / (df + square), quiet) / 2
                          : boost::math::ibeta(df / 2, 0.5, df / (df + square), quiet) / 2;
  return t >= 0 ? tail : 1 - tail;
}

double ln_student_t_upper_tail(double t, double df) {
  const double tail = student_t_upper_tail(t, df);
  if (tail > 1e-280) return std::log(tail);
  // I_x(a, 1/2) = x^a / (a B(a, 1/2)) * sum_k a / (a + k) * (1/2)_k / k! * x^k, and x is below 1.
  const double a = df / 2, x = df / (df + t * t);
  double sum = 0, coefficient = 1, power = 1;
  for (int k = 0; k < 100000; ++k) {
    const double term = a / (a + k) * coefficient * power;
    sum += term;
    if (term < 1e-17 * sum) break;
    coefficient *= (k + 0.5) / (k + 1);
    power *= x;
  }
  const double ln_beta = std::log(gamma_ratio(a, 0.5)) + 0.5 * std::log(std::numbers::pi);
  return -a * std::log1p(t * t / df) - std::log(a) - ln_beta + std::log(sum) - ln_2;
}

double student_t_quantile(double p, double df) {
  if (p == 0.5) return 0;
  const double tail = p < 0.5 ? p : 1 - p;
  double complement = 0;
  const double x = boost::math::ibeta_inv(df / 2, 0.5, 2 * tail, &complement, quiet);
  const double t = std::sqrt(df * complement / x);
  return p < 0.5 ? -t : t;
}

double half_binomial_pmf(double n, double k) {
  // The density of Beta(k + 1, n - k + 1) at 1/2 is (n + 1) C(n, k) 2^-n.
  return boost::math::ibeta_derivative(k + 1, n - k + 1, 0.5, quiet) / (n + 1);
}

double ln_half_binomial_pmf(double n, double k) {
  const double pmf = half_binomial_pmf(n, k);
  if (pmf > 1e-280) return std::log(pmf);
  return boost::math::lgamma(n + 1, quiet) - boost::math::lgamma(k + 1, quiet) -
         boost::math::lgamma(n - k + 1, quiet) - n * ln_2;
}

BetaQuantile beta_quantile(double a, double b, double p) {
  BetaQuantile out{};
  out.x = boost::math::ibeta_inv(a, b, p, &out.complement, quiet);
  return out;
}

double gamma_ratio(double a, double delta) {
  return boost::math::tgamma_delta_ratio(a, delta, quiet);
}

}  // namespace promptsweep
