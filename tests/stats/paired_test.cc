// SPDX-License-Identifier: Apache-2.0
// Student's t, equivalence and effect sizes on literal cases.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "stats/effect_sizes.h"
#include "stats/paired_t.h"

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(paired_suite)

// Student's sleep data: t = 4.0621, p = .002833 with 9 degrees of freedom.
BOOST_AUTO_TEST_CASE(sleep_data) {
  const std::vector<double> control{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
  const std::vector<double> treatment{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  std::vector<double> deltas;
  for (std::size_t i = 0; i < control.size(); ++i) deltas.push_back(treatment[i] - control[i]);
  const PairedT t = paired_t(deltas);
  BOOST_TEST(std::abs(*t.t - 4.062127683382037) < 1e-9);
  BOOST_TEST(std::abs(*t.p_two - 0.002832890197384271) < 1e-11);
  BOOST_TEST(std::abs(t.ci->low - 0.7001142367230173) < 1e-9);
  BOOST_TEST(*effect_sizes(control, treatment).paired_dominance == 0.9);
}

BOOST_AUTO_TEST_CASE(equal_deltas_have_no_deviation) {
  const std::vector<double> deltas(7, 0.1);  // naive sums give a variance of 1e-34
  const PairedT t = paired_t(deltas);
  BOOST_TEST(*t.moments.sd == 0);
  BOOST_TEST(std::isinf(*t.t));
  BOOST_TEST(*t.p_two == 0);
  BOOST_TEST(!paired_t(std::vector<double>(3, 0.0)).p_two.has_value());
}

// D16: one pair with sd 0 was declared non-inferior with an interval of NaN.
BOOST_AUTO_TEST_CASE(one_pair_shows_nothing) {
  const std::vector<double> one{0.1};
  BOOST_TEST(!tost(one, -1, 1, 0.05).p.has_value());
  BOOST_TEST(!non_inferiority(one, 0.5, 0.05).p.has_value());
  BOOST_TEST(!paired_t(one).ci.has_value());
}

// D16: the test called TOST looked at one side only.
BOOST_AUTO_TEST_CASE(equivalence_needs_both_sides) {
  std::vector<double> deltas;
  for (int i = 0; i < 40; ++i) deltas.push_back(i % 2 == 0 ? 0.45 : 0.55);
  const Tost t = tost(deltas, -0.1, 0.1, 0.05);
  BOOST_TEST(*t.p_lower < 1e-6);  // far above the lower margin
  BOOST_TEST(*t.p > 0.99);        // and far above the upper one
  BOOST_TEST(*non_inferiority(deltas, 0.1, 0.05).p < 1e-6);
}

// D16: "Cliff" dropped ties, so 60 wins of 400 gave 1.
BOOST_AUTO_TEST_CASE(ties_count_in_effect_sizes) {
  std::vector<double> control(400, 0.0), treatment(400, 0.0);
  for (int i = 0; i < 60; ++i) treatment[static_cast<std::size_t>(i)] = 1;
  const EffectSizes e = effect_sizes(control, treatment);
  BOOST_TEST(*e.cliffs_delta == 0.15);
  BOOST_TEST(*e.paired_dominance == 0.15);
}

// D16: d was 0 where every delta equals 1.
BOOST_AUTO_TEST_CASE(d_is_undefined_without_deviation) {
  const EffectSizes e = effect_sizes(std::vector<double>(5, 0.0), std::vector<double>(5, 1.0));
  BOOST_TEST(!e.d_z.has_value());
  BOOST_TEST(*e.paired_dominance == 1);
}

BOOST_AUTO_TEST_CASE(h_of_the_whole_range) {
  BOOST_TEST(std::abs(cohens_h(1, 0) - std::acos(-1.0)) < 1e-15);
  BOOST_TEST(cohens_h(0.3, 0.3) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
