// SPDX-License-Identifier: Apache-2.0
#include "stats/paired_t.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stats/distributions.h"

namespace promptsweep {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct OneSided {
  std::optional<double> t, p_greater, p_less;
};

// t of mean - bound. At sd 0 the sign of the difference decides; exactly on the bound nothing does.
OneSided against(const Moments& m, double se, double bound) {
  const double difference = m.mean - bound;
  if (se == 0) {
    if (difference == 0) return {};
    return {difference > 0 ? infinity : -infinity, difference > 0 ? 0.0 : 1.0,
            difference > 0 ? 1.0 : 0.0};
  }
  const double t = difference / se, df = static_cast<double>(m.n - 1);
  return {t, student_t_upper_tail(t, df), student_t_upper_tail(-t, df)};
}

Interval around(const Moments& m, double se, double tail) {
  if (se == 0) return {m.mean, m.mean};
  const double half = se * student_t_quantile(1 - tail, static_cast<double>(m.n - 1));
  return {m.mean - half, m.mean + half};
}

std::optional<double> standard_error(const Moments& m) {
  if (!m.sd) return std::nullopt;
  return *m.sd / std::sqrt(static_cast<double>(m.n));
}

}  // namespace

Moments moments(std::span<const double> values) {
  Moments out;
  out.n = static_cast<std::int64_t>(values.size());
  if (values.empty()) return out;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) {  // rounding in the sums must not make a tiny deviation
    out.mean = *low;
    if (out.n > 1) out.sd = 0;
    return out;
  }
  long double sum = 0;
  for (const double v : values) sum += v;
  const long double mean = sum / out.n;
  long double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  out.mean = static_cast<double>(mean);
  out.sd = static_cast<double>(std::sqrt(squares / (out.n - 1)));
  return out;
}

PairedT paired_t(std::span<const double> deltas, double conf_level) {
  PairedT out;
  out.moments = moments(deltas);
  out.se = standard_error(out.moments);
  if (!out.se) return out;
  out.ci = around(out.moments, *out.se, (1 - conf_level) / 2);
  const OneSided test = against(out.moments, *out.se, 0);
  out.t = test.t;
  out.p_greater = test.p_greater;
  out.p_less = test.p_less;
  if (!test.t) return out;
  out.p_two = std::min(1.0, 2 * std::min(*test.p_greater, *test.p_less));
  if (*out.se > 0) {
    const double t = std::abs(*test.t);
    out.ln_p_two =
        t == 0 ? 0
               : ln_student_t_upper_tail(t, static_cast<double>(out.moments.n - 1)) + std::log(2.0);
  }
  return out;
}

Tost tost(std::span<const double> deltas, double low, double high, double alpha) {
  Tost out;
  const Moments m = moments(deltas);
  const std::optional<double> se = standard_error(m);
  if (!se) return out;
  out.ci = around(m, *se, alpha);
  const OneSided lower = against(m, *se, low), upper = against(m, *se, high);
  out.t_lower = lower.t;
  out.p_lower = lower.p_greater;
  out.t_upper = upper.t;
  out.p_upper = upper.p_less;
  if (out.p_lower && out.p_upper) out.p = std::max(*out.p_lower, *out.p_upper);
  return out;
}

NonInferiority non_inferiority(std::span<const double> deltas, double margin, double alpha) {
  NonInferiority out;
  const Moments m = moments(deltas);
  const std::optional<double> se = standard_error(m);
  if (!se) return out;
  const OneSided test = against(m, *se, -margin);
  out.t = test.t;
  out.p = test.p_greater;
  out.lower_bound = around(m, *se, alpha).low;
  return out;
}

}  // namespace promptsweep
