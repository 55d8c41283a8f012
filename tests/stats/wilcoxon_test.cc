// SPDX-License-Identifier: Apache-2.0
#include "stats/wilcoxon.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(wilcoxon_suite)

BOOST_AUTO_TEST_CASE(twenty_positive_deltas) {
  std::vector<double> deltas;
  for (int i = 0; i < 20; ++i) deltas.push_back(i + 0.5);
  const Wilcoxon w = wilcoxon(deltas);
  BOOST_TEST(w.p() == std::ldexp(1.0, -19));
  BOOST_TEST(w.exact());
  BOOST_TEST(*w.rank_biserial == 1);
}

// With ties the null distribution is that of the midranks: three positive deltas of equal size
// have p = 2 / 8.
BOOST_AUTO_TEST_CASE(ties_are_exact) {
  const std::vector<double> deltas{0.5, 0.5, 0.5, 0.0};
  const Wilcoxon w = wilcoxon(deltas);
  BOOST_TEST(w.n_zero == 1);
  BOOST_TEST(w.p() == 0.25);
}

BOOST_AUTO_TEST_CASE(all_zero) {
  const Wilcoxon w = wilcoxon(std::vector<double>(5, 0.0));
  BOOST_TEST(w.p() == 1);
  BOOST_TEST(!w.z.has_value());
  BOOST_TEST(!w.rank_biserial.has_value());
}

BOOST_AUTO_TEST_CASE(beyond_one_hundred_the_normal_approximation) {
  std::vector<double> deltas;
  for (int i = 1; i <= 101; ++i) deltas.push_back(i % 3 == 0 ? -i : i);
  const Wilcoxon w = wilcoxon(deltas);
  BOOST_TEST(!w.exact());
  BOOST_TEST(w.p() == w.p_normal);
}

// D16: above 2,000 deltas the estimator changed to the plain median, and one more item moved it
// from .135 to 0.
BOOST_AUTO_TEST_CASE(hodges_lehmann_does_not_jump_with_n) {
  const auto make = [](int n) {
    std::vector<double> deltas;
    for (int i = 0; i < n; ++i) deltas.push_back(i % 2 == 0 ? 0.0 : 0.27 + 1e-6 * (i % 7));
    return deltas;
  };
  const double below = *hodges_lehmann(make(2000)), above = *hodges_lehmann(make(2001));
  BOOST_TEST(std::abs(below - 0.135) < 1e-4);
  BOOST_TEST(std::abs(above - 0.135) < 1e-4);
}

BOOST_AUTO_TEST_CASE(hodges_lehmann_equals_the_definition) {
  const std::vector<double> deltas{-1.5, 0.25, -0.125, 3, 0, 0, 0.75};
  std::vector<double> averages;
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    for (std::size_t j = i; j < deltas.size(); ++j) averages.push_back((deltas[i] + deltas[j]) / 2);
  }
  std::sort(averages.begin(), averages.end());
  const double middle =
      (averages[averages.size() / 2 - 1] + averages[averages.size() / 2]) / 2;  // 28 averages
  BOOST_TEST(*hodges_lehmann(deltas) == middle);
  BOOST_TEST(!hodges_lehmann({}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
