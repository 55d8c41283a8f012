// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE cli
#include "cli/result_settings.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep;

namespace {

// Every member differs from its default.
ResultSettings unusual() {
  ResultSettings s;
  s.program_version = "9.8.7";
  s.scoring = 42;
  s.options.bootstrap_samples = 7;
  s.options.permutation_samples = 8;
  s.options.random_seed = 0xFFFF'FFFF'FFFF'FFFFULL;
  s.options.enable_permutation = false;
  s.options.enable_fdr = false;
  s.options.conf_level = 0.9;
  s.options.alpha = 0.1;
  s.options.tost_alpha = 1.0 / 3;
  s.options.tost_margins = {{"em", 0.07}};
  s.options.behaviour_outcomes = BehaviourOutcomes::score_as_wrong;
  s.options.primary_metrics = {"f1"};
  s.rules.abstention_phrases = {"Weiß nicht", "no \"idea\""};
  s.rules.unsupported.strategy = UnsupportedRule::Strategy::overlap;
  s.rules.unsupported.min_token_overlap = 0.3;
  s.rules.unsupported_threshold = 0.25;
  s.quotes["local"] = PriceQuote{{}, "a local engine has no price per token", "", false};
  s.quotes["cloud"] = PriceQuote{TokenPrice{0.1, 0.7, 0.05, {}, 0.5}, "", "pricing.x.y", true};
  s.speeds["local"] = {12, 0.1 + 0.2};
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(settings_read_back_exactly_as_they_were_recorded) {
  const ResultSettings was = unusual();
  const std::optional<ResultSettings> now = result_settings_from_json(to_json(was));
  BOOST_REQUIRE(now);
  BOOST_TEST(to_json(*now) == to_json(was));
  BOOST_TEST(now->program_version == "9.8.7");
  BOOST_TEST(now->scoring == 42);
  BOOST_TEST(now->options.bootstrap_samples == 7);
  BOOST_TEST(now->options.permutation_samples == 8);
  BOOST_TEST(now->options.random_seed == was.options.random_seed);
  BOOST_TEST(!now->options.enable_permutation);
  BOOST_TEST(!now->options.enable_fdr);
  BOOST_TEST(now->options.conf_level == 0.9);
  BOOST_TEST(now->options.alpha == 0.1);
  BOOST_TEST(now->options.tost_alpha == was.options.tost_alpha);
  BOOST_CHECK(now->options.tost_margins == was.options.tost_margins);
  BOOST_CHECK(now->options.behaviour_outcomes == BehaviourOutcomes::score_as_wrong);
  BOOST_TEST(now->options.primary_metrics == was.options.primary_metrics);
  BOOST_TEST(now->rules.abstention_phrases == was.rules.abstention_phrases);
  BOOST_CHECK(now->rules.unsupported.strategy == UnsupportedRule::Strategy::overlap);
  BOOST_TEST(now->rules.unsupported.min_token_overlap == 0.3);
  BOOST_TEST(now->rules.unsupported_threshold == 0.25);
  BOOST_REQUIRE(now->quotes.at("cloud").price);
  BOOST_TEST(now->quotes.at("cloud").price->output_per_mtok == 0.7);
  BOOST_TEST(*now->quotes.at("cloud").price->input_per_mtok_batch == 0.05);
  BOOST_TEST(!now->quotes.at("cloud").price->output_per_mtok_batch);
  BOOST_TEST(*now->quotes.at("cloud").price->batch_multiplier == 0.5);
  BOOST_TEST(now->quotes.at("cloud").source == "pricing.x.y");
  BOOST_TEST(now->quotes.at("cloud").batch);
  BOOST_TEST(!now->quotes.at("local").price);
  BOOST_TEST(now->quotes.at("local").reason == "a local engine has no price per token");
  BOOST_TEST(now->speeds.at("local").accepted == 12);
  BOOST_TEST(now->speeds.at("local").seconds == 0.1 + 0.2);
}

BOOST_AUTO_TEST_CASE(a_text_that_is_no_record_gives_nothing) {
  for (const char* text : {"", "{", "[]", "null", "{\"program_version\": 1}"}) {
    BOOST_TEST(!result_settings_from_json(text), text);
  }
}

BOOST_AUTO_TEST_CASE(speeds_add_up_over_invocations_and_leave_idle_engines_out) {
  ResultSettings settings;
  add_speeds(settings, {{"e", "m", 10, 2.0}, {"idle", "m", 0, 5.0}, {"never", "m", 3, 0.0}});
  add_speeds(settings, {{"e", "m", 20, 4.0}});
  BOOST_TEST(settings.speeds.size() == 1U);
  BOOST_TEST(settings.speeds.at("e").accepted == 30);
  BOOST_TEST(settings.speeds.at("e").seconds == 6.0);
}
