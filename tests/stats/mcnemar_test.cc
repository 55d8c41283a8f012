// SPDX-License-Identifier: Apache-2.0
#include "stats/mcnemar.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <optional>
#include <vector>

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(mcnemar_suite)

// Six losses and no win: 2 * 2^-6.
BOOST_AUTO_TEST_CASE(six_losses) {
  const McNemar m = mcnemar(0, 6);
  BOOST_TEST(m.p_exact == 0.03125);
  BOOST_TEST(m.odds_ratio.value() == 0);
  BOOST_TEST(m.odds_ratio_ci.low == 0);
  BOOST_TEST(m.p_b_greater == 1);
}

BOOST_AUTO_TEST_CASE(balanced_discordance_says_nothing) {
  const McNemar m = mcnemar(8, 8);
  BOOST_TEST(m.p_exact == 1);
  BOOST_TEST(m.p_midp == 1);
}

BOOST_AUTO_TEST_CASE(no_discordant_pair) {
  const McNemar m = mcnemar(0, 0);
  BOOST_TEST(m.p_exact == 1);
  BOOST_TEST(!m.odds_ratio.has_value());
  BOOST_TEST(m.odds_ratio_ci.low == 0);
  BOOST_TEST(std::isinf(m.odds_ratio_ci.high));
}

// D16: the odds ratio had 0.5 added to each cell while its interval had not.
BOOST_AUTO_TEST_CASE(odds_ratio_is_the_plain_quotient) {
  const McNemar m = mcnemar(15, 5);
  BOOST_TEST(m.odds_ratio.value() == 3);
  BOOST_TEST(m.odds_ratio_ci.low < 3);
  BOOST_TEST(m.odds_ratio_ci.high > 3);
  BOOST_TEST(std::isinf(mcnemar(3, 0).odds_ratio.value()));
}

BOOST_AUTO_TEST_CASE(log_p_survives_underflow) {
  const McNemar m = mcnemar(1100, 0);
  BOOST_TEST(m.p_exact < 1e-300);
  BOOST_TEST(std::abs(m.ln_p_exact - (-1099 * std::log(2.0))) < 1e-8);
}

BOOST_AUTO_TEST_CASE(table_drops_pairs_with_a_missing_side) {
  const std::vector<std::optional<double>> control{1, 0, std::nullopt, 0, 1, 0.5};
  const std::vector<std::optional<double>> treatment{1, 1, 1, std::nullopt, 0.49, 0};
  const PairedTable t = paired_table(control, treatment);
  BOOST_TEST(t.a == 1);
  BOOST_TEST(t.b == 1);
  BOOST_TEST(t.c == 2);
  BOOST_TEST(t.d == 0);
  BOOST_TEST(t.n_missing == 2);
  BOOST_TEST(t.n_missing_control == 1);
  BOOST_TEST(t.n_missing_treatment == 1);
}

BOOST_AUTO_TEST_SUITE_END()
