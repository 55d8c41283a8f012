// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "stats/multiplicity.h"
#include "trial_fixture.h"

using namespace analysis_test;

namespace {

TrialFindings found(const std::string& slug, int control_right, int treatment_right) {
  const auto asked = questions("nq", 60);
  return analyze_trial(
      trial(slug, arm("c", Condition::control, asked, first_right(60, control_right)),
            arm("t", Condition::treatment, asked, first_right(60, treatment_right))),
      quick_options());
}

const MetricFinding& em(const TrialFindings& trial) {
  return *trial.temperatures.at(0).blocks.at(0).find("em");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep_suite)

// D2: the family was one trial, and the running minimum ran the wrong way.
BOOST_AUTO_TEST_CASE(the_family_is_the_sweep) {
  const RunFindings run = correct_over_sweep(
      {found("strong", 10, 50), found("weak", 20, 27), found("null", 20, 20)}, quick_options());
  // em and abstain_rate of three trials; false answers are not defined closed-book.
  BOOST_TEST(run.family.size() == 6u);
  BOOST_TEST(run.family_size == 6);
  std::vector<std::optional<double>> p;
  for (const FamilyMember& member : run.family) p.push_back(member.p);
  const auto expected = adjust(p, Correction::bh);
  for (std::size_t i = 0; i < p.size(); ++i) {
    BOOST_TEST(*run.family[i].q_bh == *expected[i]);
    BOOST_TEST(*run.family[i].q_bh >= *run.family[i].p);
    BOOST_TEST(*run.family[i].q_holm >= *run.family[i].q_bh);
  }
  BOOST_TEST(*em(run.trials[2]).q_bh == 1);
  BOOST_TEST(*em(run.trials[0]).q_bh < 1e-9);
  // p = 2 * 2^-7 alone; among six tests with one smaller p-value: times 6 / 2.
  BOOST_TEST(std::abs(*em(run.trials[1]).q_bh - 3 * std::ldexp(1.0, -6)) < 1e-12);
  BOOST_TEST(run.trials[0].family_hash == run.family_hash);
  BOOST_TEST(run.family_hash.size() == 64u);
}

BOOST_AUTO_TEST_CASE(a_verdict_follows_q) {
  std::vector<TrialFindings> trials{found("edge", 20, 26)};  // p = 2 * 2^-6 = .03125
  BOOST_TEST((em(trials[0]).verdict == Verdict::higher));
  for (const char* slug : {"n1", "n2", "n3"}) trials.push_back(found(slug, 20, 20));
  const RunFindings run = correct_over_sweep(std::move(trials), quick_options());
  BOOST_TEST((em(run.trials[0]).verdict == Verdict::no_detectable_change));
}

BOOST_AUTO_TEST_CASE(superseded_trials_are_outside_the_family) {
  const RunFindings without = correct_over_sweep({found("a", 10, 30)}, quick_options());
  TrialFindings old = found("old", 0, 60);
  old.superseded = true;
  old.complete = false;
  const RunFindings with = correct_over_sweep({found("a", 10, 30), old}, quick_options());
  BOOST_TEST(with.family_hash == without.family_hash);
  BOOST_TEST(with.trials.size() == 1u);
  BOOST_TEST_REQUIRE(with.superseded.size() == 1u);
  BOOST_TEST(!em(with.superseded[0]).q_bh.has_value());
  BOOST_TEST(with.incomplete_trials == 0);
}

BOOST_AUTO_TEST_CASE(the_hash_knows_the_numbers_and_not_the_order) {
  const auto a = found("a", 10, 30), b = found("b", 20, 21), other = found("b", 20, 23);
  const auto hash = [](std::vector<TrialFindings> trials) {
    return correct_over_sweep(std::move(trials), quick_options()).family_hash;
  };
  BOOST_TEST(hash({a, b}) == hash({b, a}));
  BOOST_TEST(hash({a, b}) != hash({a, other}));
}

BOOST_AUTO_TEST_CASE(correction_can_be_off) {
  AnalysisOptions options = quick_options();
  options.enable_fdr = false;
  const RunFindings run = correct_over_sweep({found("a", 10, 30)}, options);
  BOOST_TEST(!em(run.trials[0]).q_bh.has_value());
  BOOST_TEST(run.family.empty());
}

BOOST_AUTO_TEST_CASE(costs_go_to_their_trials) {
  RunFindings run = correct_over_sweep({found("a", 10, 30)}, quick_options());
  RunCost cost;
  cost.usd_total = 3;
  cost.trials.push_back({"a", {}, 2.0, 1.5, false, ""});
  attach_costs(run, cost);
  BOOST_TEST(*run.cost->usd_total == 3);
  BOOST_TEST(*run.trials[0].cost->usd_share == 1.5);
}

BOOST_AUTO_TEST_SUITE_END()
