// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include <boost/test/unit_test.hpp>

#include "base/env.h"
#include "base/result.h"

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(environment_and_results)

BOOST_AUTO_TEST_CASE(times_print_as_rfc_3339_with_milliseconds) {
  BOOST_TEST(utc_from_unix_us(0) == "1970-01-01T00:00:00.000Z");
  BOOST_TEST(utc_from_unix_us(1777898096789000) == "2026-05-04T12:34:56.789Z");
  BOOST_TEST(utc_from_unix_us(1777898096789999) == "2026-05-04T12:34:56.789Z");
  BOOST_TEST(utc_from_unix_us(951782400001000) == "2000-02-29T00:00:00.001Z");
  const std::string before = utc_from_unix_us(unix_us_now());
  const std::string now = utc_now();
  BOOST_TEST(now.size() == 24u);
  BOOST_TEST(now >= before);
}

BOOST_AUTO_TEST_CASE(the_monotonic_clock_does_not_go_back) {
  std::int64_t last = monotonic_us();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = monotonic_us();
    BOOST_TEST_REQUIRE(now >= last);
    last = now;
  }
}

BOOST_AUTO_TEST_CASE(an_absent_variable_differs_from_an_empty_one) {
  ::setenv("PROMPTSWEEP_TEST_VARIABLE", "", 1);
  BOOST_TEST(environment("PROMPTSWEEP_TEST_VARIABLE").value_or("absent") == "");
  ::setenv("PROMPTSWEEP_TEST_VARIABLE", "set", 1);
  BOOST_TEST(environment("PROMPTSWEEP_TEST_VARIABLE").value_or("absent") == "set");
  ::unsetenv("PROMPTSWEEP_TEST_VARIABLE");
  BOOST_TEST(environment("PROMPTSWEEP_TEST_VARIABLE").value_or("absent") == "absent");
}

BOOST_AUTO_TEST_CASE(this_program_finds_its_own_file) {
  BOOST_TEST(executable_path().filename() == "test_base");
}

BOOST_AUTO_TEST_CASE(a_result_is_its_value_or_its_error) {
  const Result<int> good(7);
  BOOST_REQUIRE(good);
  BOOST_TEST(*good == 7);
  const Result<int> bad(Error{Code::resource, "disk full"});
  BOOST_REQUIRE(!bad);
  BOOST_CHECK(bad.error().code == Code::resource);
  const Error framed = Error{Code::resource, "disk full"}.in("trial 17");
  BOOST_TEST(framed.text == "trial 17: disk full");
  BOOST_CHECK(framed.code == Code::resource);
}

BOOST_AUTO_TEST_SUITE_END()
