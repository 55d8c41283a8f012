// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <numeric>
#include <set>

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(random_numbers)

BOOST_AUTO_TEST_CASE(the_sequence_is_splitmix64) {
  Random zero(0);
  for (std::uint64_t expected :
       {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u, 0x06c45d188009454fu, 0xf88bb8a8724c81ecu}) {
    BOOST_TEST(zero() == expected);
  }
  Random other(1234567);
  for (std::uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u}) {
    BOOST_TEST(other() == expected);
  }
}

BOOST_AUTO_TEST_CASE(below_gives_known_draws_in_range) {
  Random random(7);
  for (std::uint64_t expected : {3u, 0u, 0u, 3u, 4u, 3u, 4u, 0u, 5u, 5u, 1u, 4u}) {
    BOOST_TEST(random.below(6) == expected);
  }
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(10));
  BOOST_TEST(seen.size() == 10u);
  BOOST_TEST(*seen.rbegin() == 9u);
  for (int i = 0; i < 100; ++i) BOOST_TEST(random.below(1) == 0u);
}

// With a bound of three quarters of 2^64 a plain modulo would give the lowest third half the draws.
BOOST_AUTO_TEST_CASE(below_has_no_modulo_bias) {
  const std::uint64_t quarter = std::uint64_t{1} << 62;
  Random random(11);
  int low = 0;
  const int draws = 6000;
  for (int i = 0; i < draws; ++i) low += random.below(3 * quarter) < quarter ? 1 : 0;
  const double share = low / static_cast<double>(draws);
  BOOST_TEST(share > 0.31);
  BOOST_TEST(share < 0.36);
}

BOOST_AUTO_TEST_CASE(shuffle_gives_a_known_order) {
  std::vector<int> values(10);
  std::iota(values.begin(), values.end(), 0);
  Random random(2025);
  shuffle(values, random);
  BOOST_TEST(values == (std::vector<int>{8, 3, 7, 1, 9, 2, 0, 4, 6, 5}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(shuffle_keeps_every_element_and_reaches_every_order) {
  std::set<std::vector<int>> orders;
  Random random(3);
  for (int i = 0; i < 400; ++i) {
    std::vector<int> values{1, 2, 3, 4};
    shuffle(values, random);
    orders.insert(values);
    std::sort(values.begin(), values.end());
    BOOST_TEST_REQUIRE(values == (std::vector<int>{1, 2, 3, 4}), boost::test_tools::per_element());
  }
  BOOST_TEST(orders.size() == 24u);
  std::vector<int> none, one{5};
  shuffle(none, random);
  shuffle(one, random);
  BOOST_TEST(none.empty());
  BOOST_TEST(one.front() == 5);
}

BOOST_AUTO_TEST_SUITE_END()
