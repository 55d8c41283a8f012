// SPDX-License-Identifier: Apache-2.0
#include "stats/effect_sizes.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "stats/distributions.h"
#include "stats/paired_t.h"

namespace promptsweep {
namespace {

double cliffs_delta(std::span<const double> control, std::span<const double> treatment) {
  std::vector<double> sorted(control.begin(), control.end());
  std::sort(sorted.begin(), sorted.end());
  std::int64_t difference = 0;
  for (const double t : treatment) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), t);
    difference += (first - sorted.begin()) - (sorted.end() - last);
  }
  const auto n = static_cast<double>(control.size());
  return static_cast<double>(difference) / (n * n);
}

// Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2)); 0 at one degree of freedom.
double hedges_factor(double df) {
  if (df <= 1) return 0;
  return 1 / (std::sqrt(df / 2) * gamma_ratio((df - 1) / 2, 0.5));
}

}  // namespace

EffectSizes effect_sizes(std::span<const double> control, std::span<const double> treatment) {
  assert(control.size() == treatment.size());
  EffectSizes out;
  if (control.empty()) return out;
  std::vector<double> deltas(control.size());
  for (std::size_t i = 0; i < control.size(); ++i) {
    deltas[i] = treatment[i] - control[i];
    out.wins += treatment[i] > control[i];
    out.losses += treatment[i] < control[i];
    out.ties += treatment[i] == control[i];
  }
  const auto n = static_cast<double>(control.size());
  out.paired_dominance = static_cast<double>(out.wins - out.losses) / n;
  out.cliffs_delta = cliffs_delta(control, treatment);

  const Moments delta = moments(deltas);
  if (!delta.sd) return out;
  if (*delta.sd > 0) {
    out.d_z = delta.mean / *delta.sd;
    out.g_z = *out.d_z * hedges_factor(n - 1);
  }
  const double average = (*moments(control).sd + *moments(treatment).sd) / 2;
  if (average > 0) out.d_av = delta.mean / average;
  return out;
}

double cohens_h(double p1, double p2) {
  return 2 * std::asin(std::sqrt(p1)) - 2 * std::asin(std::sqrt(p2));
}

}  // namespace promptsweep
