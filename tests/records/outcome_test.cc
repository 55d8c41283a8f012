// SPDX-License-Identifier: Apache-2.0
#include "records/outcome.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "records/request.h"

using namespace promptsweep;

namespace {

struct Row {
  Outcome outcome;
  const char* name;
  bool accepted, behaviour, missing_data;
};

const std::vector<Row> table{{Outcome::ok, "ok", true, false, false},
                             {Outcome::truncated, "truncated", true, true, false},
                             {Outcome::empty, "empty", true, true, false},
                             {Outcome::filtered, "filtered", true, true, false},
                             {Outcome::prompt_truncated, "prompt_truncated", true, false, true},
                             {Outcome::error_request, "error_request", true, false, true},
                             {Outcome::error_backend, "error_backend", false, false, true},
                             {Outcome::error_timeout, "error_timeout", false, false, true},
                             {Outcome::cancelled, "cancelled", false, false, true},
                             {Outcome::expired, "expired", false, false, true},
                             {Outcome::missing, "missing", false, false, true}};

}  // namespace

BOOST_AUTO_TEST_SUITE(outcomes)

BOOST_AUTO_TEST_CASE(each_outcome_is_classed_as_the_table_says) {
  for (const Row& row : table) {
    BOOST_TEST(to_string(row.outcome) == row.name);
    BOOST_CHECK(outcome_from(row.name) == row.outcome);
    BOOST_TEST(is_final(row.outcome) == row.accepted, row.name);
    BOOST_TEST(is_behaviour(row.outcome) == row.behaviour, row.name);
    BOOST_TEST(is_missing_data(row.outcome) == row.missing_data, row.name);
  }
}

BOOST_AUTO_TEST_CASE(the_table_holds_every_outcome_once) {
  std::set<int> values;
  for (const Row& row : table) values.insert(static_cast<int>(row.outcome));
  BOOST_TEST(values.size() == table.size());
  BOOST_TEST(*values.rbegin() == static_cast<int>(Outcome::missing));
  BOOST_TEST(static_cast<std::size_t>(*values.rbegin()) + 1 == table.size());
  BOOST_TEST(to_string(static_cast<Outcome>(table.size())) == "unknown");
}

BOOST_AUTO_TEST_CASE(unknown_names_are_none) {
  for (const char* name : {"", "OK", "unknown", "error"}) BOOST_CHECK(!outcome_from(name));
  BOOST_CHECK(condition_from("control") == Condition::control);
  BOOST_CHECK(condition_from("treatment") == Condition::treatment);
  BOOST_CHECK(!condition_from("Control"));
  BOOST_TEST(to_string(Condition::control) == "control");
  BOOST_TEST(to_string(Condition::treatment) == "treatment");
}

BOOST_AUTO_TEST_SUITE_END()
