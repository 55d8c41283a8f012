// SPDX-License-Identifier: Apache-2.0
#include "records/score.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

using namespace promptsweep;

namespace {

Score score(double em, std::optional<double> f1, bool abstained,
            std::optional<double> false_answer = {}, std::optional<double> unsupported = {}) {
  return {em, f1, abstained, false_answer, unsupported};
}

Item open_item() {
  Item item;
  item.dataset = "squad";
  item.id = "a|b";
  item.type = TaskType::open_book;
  item.is_unanswerable = true;
  return item;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(item_scores)

BOOST_AUTO_TEST_CASE(means_and_sample_deviations) {
  const ItemScore mean = mean_over_samples(
      open_item(), {score(1, 1.0, false, 1.0, 1.0), score(0, 0.5, true, 0.0),
                    score(0, 0.0, false, 1.0, 0.0), score(1, 0.5, false, 0.0, 0.0)});
  BOOST_TEST(mean.item_key == "squad|a%7Cb");
  BOOST_TEST(mean.dataset == "squad");
  BOOST_CHECK(mean.type == TaskType::open_book);
  BOOST_TEST(mean.is_unanswerable);
  BOOST_TEST(mean.samples == 4);
  const auto nearly = boost::test_tools::tolerance(1e-15);
  BOOST_TEST(mean.em == 0.5);
  BOOST_TEST(mean.em_std.value() == std::sqrt(1.0 / 3), nearly);
  BOOST_TEST(mean.f1.value() == 0.5);
  BOOST_TEST(mean.f1_std.value() == std::sqrt(0.5 / 3), nearly);
  BOOST_TEST(mean.abstain_rate == 0.25);
  BOOST_TEST(mean.abstain_rate_std.value() == 0.5, nearly);
  BOOST_TEST(mean.false_answer_rate.value() == 0.5);
  // Of the three samples that have the measure.
  BOOST_TEST(mean.unsupported_rate.value() == 1.0 / 3, nearly);
  BOOST_TEST(mean.unsupported_rate_std.value() == std::sqrt(1.0 / 3), nearly);
}

BOOST_AUTO_TEST_CASE(what_was_not_measured_stays_absent) {
  const ItemScore mean = mean_over_samples(Item(), {score(1, {}, false), score(1, {}, false)});
  BOOST_TEST(!mean.f1);
  BOOST_TEST(!mean.f1_std);
  BOOST_TEST(!mean.false_answer_rate);
  BOOST_TEST(!mean.unsupported_rate);
  BOOST_TEST(mean.em_std.value() == 0);
}

BOOST_AUTO_TEST_CASE(one_sample_has_no_deviation) {
  const ItemScore mean = mean_over_samples(Item(), {score(1, 0.25, true, 0.0)});
  BOOST_TEST(mean.samples == 1);
  BOOST_TEST(mean.em == 1);
  BOOST_TEST(mean.f1.value() == 0.25);
  BOOST_TEST(mean.abstain_rate == 1);
  BOOST_TEST(mean.false_answer_rate.value() == 0);
  BOOST_TEST(!mean.em_std);
  BOOST_TEST(!mean.f1_std);
  BOOST_TEST(!mean.abstain_rate_std);
  BOOST_TEST(!mean.false_answer_rate_std);
}

BOOST_AUTO_TEST_SUITE_END()
