// SPDX-License-Identifier: Apache-2.0
#include "stats/multiplicity.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(multiplicity_suite)

// D2: the running minimum went from the smallest p-value upward, so that one tiny p-value made
// every other test of the family significant.
BOOST_AUTO_TEST_CASE(one_tiny_p_leaves_the_others_alone) {
  const auto q = adjust({1.7e-18, 0.94, 1.0}, Correction::bh);
  BOOST_TEST(std::abs(*q[0] - 5.1e-18) < 1e-30);
  BOOST_TEST(*q[1] == 1.0);
  BOOST_TEST(*q[2] == 1.0);
}

BOOST_AUTO_TEST_CASE(step_up_and_step_down) {
  const auto near = [](std::optional<double> got, double want) {
    return std::abs(got.value() - want) < 1e-15;
  };
  const std::vector<std::optional<double>> p{0.03, 0.02};
  BOOST_TEST(near(adjust(p, Correction::bh)[0], 0.03));
  BOOST_TEST(near(adjust(p, Correction::bh)[1], 0.03));
  BOOST_TEST(near(adjust(p, Correction::holm)[0], 0.04));
  BOOST_TEST(near(adjust(p, Correction::hochberg)[1], 0.03));
  BOOST_TEST(near(adjust(p, Correction::bonferroni)[0], 0.06));
  BOOST_TEST(near(adjust(p, Correction::by)[0], 0.045));
}

BOOST_AUTO_TEST_CASE(absent_p_values_keep_their_place_and_do_not_count) {
  const auto q = adjust({0.01, std::nullopt, 0.04}, Correction::bonferroni);
  BOOST_TEST(*q[0] == 0.02);
  BOOST_TEST(!q[1].has_value());
  BOOST_TEST(*q[2] == 0.08);
  BOOST_TEST(adjust({}, Correction::bh).empty());
}

BOOST_AUTO_TEST_SUITE_END()
