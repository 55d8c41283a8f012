// SPDX-License-Identifier: Apache-2.0
#include "stats/mcnemar.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "stats/distributions.h"

namespace promptsweep {
namespace {

struct Tail {
  double p, ln_p;  // P(X <= k)
  double pmf;      // P(X = k)
};

// X ~ Bin(n, 1/2), k <= n/2: the pmf at k times 1 + k/(n-k+1) + k(k-1)/((n-k+1)(n-k+2)) + ...,
// all terms positive and falling, so that no digit is lost however small the tail is.
Tail lower_tail(double n, double k) {
  double sum = 1, term = 1;
  for (double i = k; i > 0 && term > 1e-18 * sum; --i) {
    term *= i / (n - i + 1);
    sum += term;
  }
  const double pmf = half_binomial_pmf(n, k);
  return {pmf * sum, ln_half_binomial_pmf(n, k) + std::log(sum), pmf};
}

Interval odds_interval(double b, double c, double conf_level) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Interval out{0, infinity};
  const double alpha = 1 - conf_level;
  if (b > 0) {
    const BetaQuantile low = beta_quantile(b, c + 1, alpha / 2);
    out.low = low.x / low.complement;
  }
  if (c > 0) {
    const BetaQuantile high = beta_quantile(b + 1, c, 1 - alpha / 2);
    out.high = high.x / high.complement;
  }
  return out;
}

}  // namespace

PairedTable paired_table(std::span<const std::optional<double>> control,
                         std::span<const std::optional<double>> treatment) {
  assert(control.size() == treatment.size());
  PairedTable out;
  for (std::size_t i = 0; i < control.size(); ++i) {
    out.n_missing_control += !control[i];
    out.n_missing_treatment += !treatment[i];
    if (!control[i] || !treatment[i]) {
      ++out.n_missing;
      continue;
    }
    const bool in_control = *control[i] >= 0.5, in_treatment = *treatment[i] >= 0.5;
    if (in_control && in_treatment) ++out.a;
    if (!in_control && in_treatment) ++out.b;
    if (in_control && !in_treatment) ++out.c;
    if (!in_control && !in_treatment) ++out.d;
  }
  return out;
}

PairedTable paired_table(std::span<const double> control, std::span<const double> treatment) {
  assert(control.size() == treatment.size());
  PairedTable out;
  for (std::size_t i = 0; i < control.size(); ++i) {
    const bool in_control = control[i] >= 0.5, in_treatment = treatment[i] >= 0.5;
    ++(in_control ? (in_treatment ? out.a : out.c) : (in_treatment ? out.b : out.d));
  }
  return out;
}

McNemar mcnemar(std::int64_t b_count, std::int64_t c_count, double conf_level) {
  const auto b = static_cast<double>(b_count), c = static_cast<double>(c_count);
  const double n = b + c;
  McNemar out;
  out.n_discordant = b_count + c_count;
  out.odds_ratio_ci = odds_interval(b, c, conf_level);
  if (n == 0) return out;
  out.odds_ratio = c == 0 ? std::numeric_limits<double>::infinity() : b / c;

  const Tail tail = lower_tail(n, std::min(b, c));
  out.p_exact = std::min(1.0, 2 * tail.p);
  out.ln_p_exact = std::min(0.0, tail.ln_p + std::log(2.0));
  out.p_midp = std::min(1.0, 2 * tail.p - tail.pmf);
  // P(X >= b) = P(X <= c) by symmetry; above the middle, from the tail below it.
  out.p_b_greater = b >= c ? tail.p : 1 - tail.p + tail.pmf;
  return out;
}

}  // namespace promptsweep
