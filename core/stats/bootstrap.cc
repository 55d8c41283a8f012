// SPDX-License-Identifier: Apache-2.0
#include "stats/bootstrap.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "stats/distributions.h"
#include "stats/paired_t.h"

namespace promptsweep {
namespace {

// Uniform indices below n, two from each 64-bit draw: multiply and keep the upper half, rejecting
// the few draws that would favour some indices (Lemire 2019).
class Indices {
 public:
  Indices(std::uint32_t n, std::uint64_t seed)
      : random_(seed), n_(n), rejected_below_(static_cast<std::uint32_t>(-n) % n) {}

  std::uint32_t next() {
    for (;;) {
      const std::uint64_t product = std::uint64_t{half()} * n_;
      if (static_cast<std::uint32_t>(product) >= rejected_below_) {
        return static_cast<std::uint32_t>(product >> 32);
      }
    }
  }

 private:
  std::uint32_t half() {
    if (!has_half_) {
      draw_ = random_();
      has_half_ = true;
      return static_cast<std::uint32_t>(draw_);
    }
    has_half_ = false;
    return static_cast<std::uint32_t>(draw_ >> 32);
  }

  Random random_;
  std::uint32_t n_, rejected_below_;
  std::uint64_t draw_ = 0;
  bool has_half_ = false;
};

// inf{x : F(x) >= p} of the sorted resampled means.
double quantile(const std::vector<double>& sorted, double p) {
  const auto size = static_cast<double>(sorted.size());
  const double rank = std::ceil(p * size - 1e-9);
  return sorted[static_cast<std::size_t>(std::clamp(rank, 1.0, size)) - 1];
}

// sum(x^3) / (6 sum(x^2)^1.5) with x = delta - mean: the jackknife's value for a mean.
double acceleration(std::span<const double> deltas, double mean) {
  double squares = 0, cubes = 0;
  for (const double d : deltas) {
    const double x = d - mean;
    squares += x * x;
    cubes += x * x * x;
  }
  return cubes / (6 * std::pow(squares, 1.5));
}

double bca_level(double z0, double a, double p) {
  const double z = z0 + normal_quantile(p);
  return normal_cdf(z0 + z / (1 - a * z));
}

// The normal quantile of the share of resamples below the observed mean, equal ones counting half.
// Sums of the same deltas in another order differ in the last digits: equal means within a slack.
double bias_correction(const std::vector<double>& sorted, double mean, double scale) {
  const double slack = 1e-10 * scale;
  const auto below = std::lower_bound(sorted.begin(), sorted.end(), mean - slack);
  const auto above = std::upper_bound(below, sorted.end(), mean + slack);
  const double count =
      static_cast<double>(below - sorted.begin()) + 0.5 * static_cast<double>(above - below);
  const auto size = static_cast<double>(sorted.size());
  return normal_quantile(std::clamp(count, 0.5, size - 0.5) / size);
}

}  // namespace

BootstrapMean bootstrap_mean(std::span<const double> deltas, int samples, std::uint64_t seed,
                             double conf_level) {
  assert(!deltas.empty() && samples >= 1);
  const auto [low, high] = std::minmax_element(deltas.begin(), deltas.end());
  if (*low == *high) return {{*low, *low}, {*low, *low}, true};

  const auto n = static_cast<std::uint32_t>(deltas.size());
  Indices indices(n, seed);
  std::vector<double> means(static_cast<std::size_t>(samples));
  for (double& mean : means) {
    double sum = 0;
    for (std::uint32_t i = 0; i < n; ++i) sum += deltas[indices.next()];
    mean = sum / n;
  }
  std::sort(means.begin(), means.end());

  BootstrapMean out;
  const double tail = (1 - conf_level) / 2;
  out.percentile = {quantile(means, tail), quantile(means, 1 - tail)};
  const double observed = moments(deltas).mean;
  const double z0 = bias_correction(means, observed, std::max(std::abs(*low), std::abs(*high)));
  const double a = acceleration(deltas, observed);
  out.bca = {quantile(means, bca_level(z0, a, tail)), quantile(means, bca_level(z0, a, 1 - tail))};
  return out;
}

}  // namespace promptsweep
