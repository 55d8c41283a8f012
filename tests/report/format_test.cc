// SPDX-License-Identifier: Apache-2.0
#include "report/format.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(format_suite)

BOOST_AUTO_TEST_CASE(absent_is_a_dash) {
  BOOST_TEST(percent(std::nullopt) == dash);
  BOOST_TEST(points(std::optional<double>()) == dash);
  BOOST_TEST(p_value(std::nullopt) == dash);
  BOOST_TEST(dollars(std::nullopt) == dash);
  BOOST_TEST(percent(0.0) == "0.0 %");
}

BOOST_AUTO_TEST_CASE(points_are_signed_and_zero_is_not) {
  BOOST_TEST(points(0.231) == "+23.1");
  BOOST_TEST(points(-0.05) == "-5.0");
  BOOST_TEST(points(-0.0001) == "0.0");
  // D19: negative ends were printed unscaled beside percentages.
  BOOST_TEST(points(Interval{-0.125, 0.03}) == "[-12.5, +3.0]");
}

BOOST_AUTO_TEST_CASE(small_p_values_keep_their_size) {
  BOOST_TEST(p_value(0.0312) == "0.031");
  BOOST_TEST(p_value(1.7e-18) == "1.7e-18");
  BOOST_TEST(p_value(1.0) == "1.000");
}

BOOST_AUTO_TEST_CASE(cells_cannot_break_a_table) {
  MarkdownTable table({"a", "b"}, 1);
  table.row({"x|y\nz", "1"});
  BOOST_TEST(table.text() == "| a | b |\n|---|---:|\n| x\\|y z | 1 |\n\n");
}

BOOST_AUTO_TEST_SUITE_END()
