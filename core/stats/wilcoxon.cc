// SPDX-License-Identifier: Apache-2.0
#include "stats/wilcoxon.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "stats/distributions.h"

namespace promptsweep {
namespace {

constexpr std::int64_t exact_limit = 100;

struct Ranked {
  std::vector<double> doubled;  // twice the midrank, by magnitude: a whole number
  double doubled_plus = 0;      // their sum over the positive deltas
  double tie_cubes = 0;         // sum of t^3 - t over the tie groups
};

Ranked rank(std::vector<double> values) {
  std::sort(values.begin(), values.end(),
            [](double x, double y) { return std::abs(x) < std::abs(y); });
  Ranked out;
  out.doubled.resize(values.size());
  for (std::size_t first = 0; first < values.size();) {
    std::size_t last = first;
    while (last < values.size() && std::abs(values[last]) == std::abs(values[first])) ++last;
    const auto count = static_cast<double>(last - first);
    out.tie_cubes += count * count * count - count;
    for (std::size_t i = first; i < last; ++i) {
      out.doubled[i] = static_cast<double>(first + last + 1);
      if (values[i] > 0) out.doubled_plus += out.doubled[i];
    }
    first = last;
  }
  return out;
}

// min(1, 2 min(P(W <= w), P(W >= w))) where every midrank counts with probability 1/2. The
// distribution is symmetric, so only the tail on the side of w is summed.
double exact_p(const Ranked& ranks) {
  double total = 0;
  for (const double r : ranks.doubled) total += r;
  const double tail_end = std::min(ranks.doubled_plus, total - ranks.doubled_plus);
  std::vector<double> probability(static_cast<std::size_t>(total) + 1);
  probability[0] = 1;
  std::size_t reach = 0;
  for (const double r : ranks.doubled) {
    const auto step = static_cast<std::size_t>(r);
    reach += step;
    for (std::size_t s = reach + 1; s-- > 0;) {
      const double with = s >= step ? probability[s - step] : 0;
      probability[s] = 0.5 * (probability[s] + with);
    }
  }
  double tail = 0;
  for (std::size_t s = 0; s <= static_cast<std::size_t>(tail_end); ++s) tail += probability[s];
  return std::min(1.0, 2 * tail);
}

// Doubles in their own order as integers, so that bisection ends after 64 steps on the exact value.
std::int64_t ordered(double value) {
  const auto bits = std::bit_cast<std::int64_t>(value);
  return bits >= 0 ? bits : INT64_MIN - bits;
}
double from_ordered(std::int64_t key) {
  return std::bit_cast<double>(key >= 0 ? key : INT64_MIN - key);
}

// How many sums x_i + x_j, i <= j, of the sorted values are <= limit. Rounded sums are monotone in
// both indices, so one walk from each end counts them.
std::int64_t sums_up_to(const std::vector<double>& sorted, double limit) {
  std::int64_t count = 0;
  std::size_t end = sorted.size();  // x_i + x_j <= limit for j < end
  for (std::size_t i = 0; i < sorted.size() && end > i; ++i) {
    while (end > i && sorted[i] + sorted[end - 1] > limit) --end;
    count += static_cast<std::int64_t>(end - i);
  }
  return count;
}

double kth_smallest_sum(const std::vector<double>& sorted, std::int64_t k) {
  std::int64_t low = ordered(sorted.front() + sorted.front());
  std::int64_t high = ordered(sorted.back() + sorted.back());
  while (low < high) {
    // The two may have different signs: their difference need not fit.
    const std::int64_t middle = (low >> 1) + (high >> 1) + (low & high & 1);
    if (sums_up_to(sorted, from_ordered(middle)) >= k) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return from_ordered(low);
}

}  // namespace

Wilcoxon wilcoxon(std::span<const double> deltas) {
  Wilcoxon out;
  std::vector<double> used;
  used.reserve(deltas.size());
  for (const double d : deltas) {
    if (d != 0) used.push_back(d);
  }
  out.n_used = static_cast<std::int64_t>(used.size());
  out.n_zero = static_cast<std::int64_t>(deltas.size()) - out.n_used;
  if (used.empty()) {
    out.p_exact = 1;
    return out;
  }
  const Ranked ranks = rank(std::move(used));
  const auto n = static_cast<double>(out.n_used);
  const double total = n * (n + 1) / 2;
  out.w_plus = ranks.doubled_plus / 2;
  out.w_minus = total - out.w_plus;
  out.rank_biserial = (out.w_plus - out.w_minus) / total;
  const double variance = n * (n + 1) * (2 * n + 1) / 24 - ranks.tie_cubes / 48;
  const double z = (out.w_plus - total / 2) / std::sqrt(variance);
  out.z = z;
  out.p_normal = std::min(1.0, 2 * normal_upper_tail(std::abs(z)));
  out.ln_p_normal = std::min(0.0, std::log(2.0) + ln_normal_upper_tail(std::abs(z)));
  if (out.n_used <= exact_limit) out.p_exact = exact_p(ranks);
  return out;
}

std::optional<double> hodges_lehmann(std::span<const double> deltas) {
  if (deltas.empty()) return std::nullopt;
  std::vector<double> sorted(deltas.begin(), deltas.end());
  for (double& d : sorted) d += 0.0;  // -0 becomes 0: one zero for the bisection
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<std::int64_t>(sorted.size());
  const std::int64_t m = n * (n + 1) / 2;
  const double upper = kth_smallest_sum(sorted, m / 2 + 1);
  if (m % 2 == 1) return upper / 2;
  return (kth_smallest_sum(sorted, m / 2) + upper) / 4;
}

}  // namespace promptsweep
