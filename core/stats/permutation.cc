// SPDX-License-Identifier: Apache-2.0
#include "stats/permutation.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <optional>
#include <vector>

#include "base/random.h"

namespace promptsweep {
namespace {

constexpr int largest_denominator = 100;
constexpr double convolution_budget = 2e7;  // additions
constexpr std::size_t enumeration_limit = 20;

std::vector<double> without_zeros(std::span<const double> deltas) {
  std::vector<double> out;
  for (const double d : deltas) {
    if (d != 0) out.push_back(d);
  }
  return out;
}

// The deltas as whole multiples of 1/k for the smallest k that makes them so.
std::optional<std::vector<std::int64_t>> on_lattice(const std::vector<double>& deltas) {
  for (int k = 1; k <= largest_denominator; ++k) {
    const bool fits = std::all_of(deltas.begin(), deltas.end(), [&](double d) {
      return std::abs(d * k) < 1e9 && std::abs(d * k - std::round(d * k)) <= 1e-9;
    });
    if (!fits) continue;
    std::vector<std::int64_t> out;
    for (const double d : deltas) out.push_back(std::llround(d * k));
    return out;
  }
  return std::nullopt;
}

// The distribution of the sum of those magnitudes whose sign is positive; S = 2 sum - total.
// Long doubles, since 2^-n leaves the range of double at n = 1075.
Permutation by_convolution(const std::vector<std::int64_t>& values, std::int64_t total,
                           std::int64_t observed) {
  std::vector<long double> probability(static_cast<std::size_t>(total) + 1);
  probability[0] = 1;
  std::size_t reach = 0;
  for (const std::int64_t value : values) {
    const auto step = static_cast<std::size_t>(std::abs(value));
    reach += step;
    for (std::size_t s = reach + 1; s-- > 0;) {
      const long double with = s >= step ? probability[s - step] : 0;
      probability[s] = (probability[s] + with) / 2;
    }
  }
  long double two = 0, greater = 0, less = 0;
  for (std::size_t s = 0; s < probability.size(); ++s) {
    const std::int64_t sum = 2 * static_cast<std::int64_t>(s) - total;
    if (std::abs(sum) >= std::abs(observed)) two += probability[s];
    if (sum >= observed) greater += probability[s];
    if (sum <= observed) less += probability[s];
  }
  Permutation out;
  out.p_two = static_cast<double>(std::min(two, 1.0L));
  out.p_greater = static_cast<double>(std::min(greater, 1.0L));
  out.p_less = static_cast<double>(std::min(less, 1.0L));
  return out;
}

double slack_of(const std::vector<double>& values) {
  double total = 0;
  for (const double v : values) total += std::abs(v);
  return 1e-9 * total;
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum;
}

// Every sign pattern once, in Gray-code order: one sign changes from each to the next.
Permutation by_enumeration(std::vector<double> values) {
  const double observed = sum_of(values), slack = slack_of(values);
  const std::uint64_t patterns = std::uint64_t{1} << values.size();
  std::uint64_t two = 0, greater = 0, less = 0;
  double sum = observed;
  for (std::uint64_t i = 1;; ++i) {
    two += std::abs(sum) >= std::abs(observed) - slack;
    greater += sum >= observed - slack;
    less += sum <= observed + slack;
    if (i == patterns) break;
    double& flipped = values[static_cast<std::size_t>(std::countr_zero(i))];
    flipped = -flipped;
    sum += 2 * flipped;
  }
  const auto n = static_cast<double>(patterns);
  Permutation out;
  out.p_two = static_cast<double>(two) / n;
  out.p_greater = static_cast<double>(greater) / n;
  out.p_less = static_cast<double>(less) / n;
  return out;
}

}  // namespace

Permutation sign_flip_monte_carlo(std::span<const double> deltas, int samples, std::uint64_t seed) {
  assert(samples >= 1);
  const std::vector<double> values = without_zeros(deltas);
  const double least = std::abs(sum_of(values)) - slack_of(values);
  Random random(seed);
  std::int64_t count = 0;
  for (int sample = 0; sample < samples; ++sample) {
    double sum = 0;
    std::uint64_t signs = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 64 == 0) signs = random();
      sum += (signs & 1) != 0 ? -values[i] : values[i];
      signs >>= 1;
    }
    count += std::abs(sum) >= least;
  }
  Permutation out;
  out.exact = false;
  out.p_two = (1 + static_cast<double>(count)) / (1 + static_cast<double>(samples));
  return out;
}

Permutation sign_flip(std::span<const double> deltas, int samples, std::uint64_t seed) {
  const std::vector<double> values = without_zeros(deltas);
  if (values.empty()) return {};
  if (const auto lattice = on_lattice(values)) {
    std::int64_t total = 0, observed = 0;
    for (const std::int64_t value : *lattice) {
      total += std::abs(value);
      observed += value;
    }
    const double work = static_cast<double>(total) * static_cast<double>(lattice->size());
    if (work <= convolution_budget) return by_convolution(*lattice, total, observed);
  }
  if (values.size() <= enumeration_limit) return by_enumeration(values);
  return sign_flip_monte_carlo(values, samples, seed);
}

}  // namespace promptsweep
