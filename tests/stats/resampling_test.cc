// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "stats/bootstrap.h"
#include "stats/permutation.h"

using namespace promptsweep;

namespace {

std::vector<double> some_deltas() {
  std::vector<double> out(100, 0.0);
  for (std::size_t i = 0; i < 22; ++i) out[i] = 1;
  for (std::size_t i = 22; i < 33; ++i) out[i] = -1;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resampling_suite)

// The ideal percentile interval of this case is [0, 0.22].
BOOST_AUTO_TEST_CASE(bootstrap_covers_the_ideal_interval) {
  const BootstrapMean b = bootstrap_mean(some_deltas(), 5000, 3);
  BOOST_TEST(std::abs(b.percentile.low - 0.0) < 0.025);
  BOOST_TEST(std::abs(b.percentile.high - 0.22) < 0.025);
  BOOST_TEST(std::abs(b.bca.low - 0.0) < 0.035);
  BOOST_TEST(std::abs(b.bca.high - 0.22) < 0.035);
  BOOST_TEST(!b.degenerate);
}

BOOST_AUTO_TEST_CASE(the_seed_decides) {
  std::vector<double> deltas;
  for (int i = 0; i < 50; ++i) deltas.push_back(std::sin(i));
  BOOST_TEST((bootstrap_mean(deltas, 500, 3).bca == bootstrap_mean(deltas, 500, 3).bca));
  BOOST_TEST(!(bootstrap_mean(deltas, 500, 3).bca == bootstrap_mean(deltas, 500, 4).bca));
}

BOOST_AUTO_TEST_CASE(equal_deltas_give_a_point) {
  const BootstrapMean b = bootstrap_mean(std::vector<double>(6, 0.25), 100, 1);
  BOOST_TEST(b.degenerate);
  BOOST_TEST((b.bca == Interval{0.25, 0.25}));
}

// D16: the Monte-Carlo p-value could be exactly 0.
BOOST_AUTO_TEST_CASE(monte_carlo_p_is_never_zero) {
  const std::vector<double> deltas(200, 1.0);
  BOOST_TEST(sign_flip_monte_carlo(deltas, 999, 1).p_two == 0.001);
}

BOOST_AUTO_TEST_CASE(exact_where_cheap) {
  BOOST_TEST(sign_flip(std::vector<double>{1, 2, 3, 4, 5}, 10, 1).p_two == 0.0625);
  // .1 + .2 and .3 are the same sum, whatever the last digit says.
  const Permutation tied = sign_flip(std::vector<double>{0.1, 0.2, -0.3, 0.6, 0.3, 0.4}, 10, 1);
  BOOST_TEST(tied.exact);
  // On no lattice, few enough to enumerate.
  const Permutation irrational =
      sign_flip(std::vector<double>{std::sqrt(2.0), 1, 0.1234567}, 10, 1);
  BOOST_TEST(irrational.exact);
  BOOST_TEST(irrational.p_two == 0.25);
  BOOST_TEST(irrational.p_greater == 0.125);
  BOOST_TEST(sign_flip(std::vector<double>(3, 0.0), 10, 1).p_two == 1);
}

BOOST_AUTO_TEST_CASE(monte_carlo_agrees_with_exact) {
  std::vector<double> deltas;
  for (int i = 0; i < 60; ++i) deltas.push_back(std::sin(i) + 0.15);
  const Permutation p = sign_flip(deltas, 20000, 5);
  BOOST_TEST(!p.exact);
  const double exact = sign_flip(some_deltas(), 1, 1).p_two;  // multiples of 1: convolution
  BOOST_TEST(std::abs(sign_flip_monte_carlo(some_deltas(), 20000, 5).p_two - exact) < 0.01);
}

BOOST_AUTO_TEST_SUITE_END()
