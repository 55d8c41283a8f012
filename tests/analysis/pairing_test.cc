// SPDX-License-Identifier: Apache-2.0
#include "analysis/pairing.h"

#include <boost/test/unit_test.hpp>

#include "trial_fixture.h"

using namespace analysis_test;

BOOST_AUTO_TEST_SUITE(pairing_suite)

BOOST_AUTO_TEST_CASE(missing_stays_missing_with_its_reason) {
  const auto asked = questions("nq", 5);
  std::vector<Answer> control = first_right(5, 5), treatment = first_right(5, 5);
  control[1].outcome = Outcome::error_request;
  treatment[2].outcome = Outcome::truncated;
  treatment[3].outcome = Outcome::missing;
  control[3].outcome = Outcome::missing;
  const auto c = arm("c", Condition::control, asked, control);
  const auto t = arm("t", Condition::treatment, asked, treatment);

  const AttritionFinding primary = attrition(ItemPairs(c.get(), t.get(), Analysis::primary));
  BOOST_TEST(primary.n_items == 5);
  BOOST_TEST(primary.n_pairs == 2);
  BOOST_TEST(primary.only_control_missing == 1);
  BOOST_TEST(primary.only_treatment_missing == 1);
  BOOST_TEST(primary.both_missing == 1);
  BOOST_TEST_REQUIRE(primary.treatment_missing.size() == 2u);
  BOOST_TEST((primary.treatment_missing[0].first == Outcome::truncated));
  BOOST_TEST((primary.treatment_missing[1].first == Outcome::missing));
  BOOST_TEST(primary.treatment_missing[0].second == 1);

  // With behaviour scored as wrong the truncated answer is an answer.
  const AttritionFinding other = attrition(ItemPairs(c.get(), t.get(), Analysis::other));
  BOOST_TEST(other.n_pairs == 3);
}

// D51: pairs divided by rows showed 50 % for a perfect pairing.
BOOST_AUTO_TEST_CASE(perfect_pairing_is_one) {
  const auto asked = questions("nq", 4);
  const auto c = arm("c", Condition::control, asked, first_right(4, 1));
  const auto t = arm("t", Condition::treatment, asked, first_right(4, 2));
  const AttritionFinding a = attrition(ItemPairs(c.get(), t.get(), Analysis::primary));
  BOOST_TEST(a.pairing_rate == 1);
  BOOST_TEST(a.p == 1);
}

BOOST_AUTO_TEST_CASE(unequal_attrition_is_tested) {
  const auto asked = questions("nq", 10);
  std::vector<Answer> treatment = first_right(10, 10);
  for (std::size_t i = 0; i < 6; ++i) treatment[i].outcome = Outcome::error_request;
  const auto c = arm("c", Condition::control, asked, first_right(10, 10));
  const auto t = arm("t", Condition::treatment, asked, treatment);
  BOOST_TEST(attrition(ItemPairs(c.get(), t.get(), Analysis::primary)).p == 0.03125);
}

BOOST_AUTO_TEST_CASE(one_data_set_asked_both_ways_is_two_items) {
  std::vector<Question> asked = questions("squad", 2, TaskType::open_book);
  const auto closed = questions("squad", 2, TaskType::closed_book);
  asked.insert(asked.end(), closed.begin(), closed.end());
  const auto c = arm("c", Condition::control, asked, first_right(4, 2));
  const auto t = arm("t", Condition::treatment, asked, first_right(4, 4));
  const ItemPairs pairs(c.get(), t.get(), Analysis::primary);
  BOOST_TEST_REQUIRE(pairs.size() == 4u);
  BOOST_TEST(pairs[0].control.score->em == 1);
  BOOST_TEST(pairs[2].control.score->em == 0);
}

BOOST_AUTO_TEST_SUITE_END()
