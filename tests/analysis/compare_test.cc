// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare.h"

#include <boost/test/unit_test.hpp>

#include "trial_fixture.h"

using namespace analysis_test;

namespace {

const MetricComparison& metric(const RunComparison& found, const std::string& name) {
  const BlockComparison& block = found.trials.at(0).temperatures.at(0).blocks.at(0);
  for (const MetricComparison& one : block.metrics) {
    if (one.metric == name) return one;
  }
  BOOST_FAIL("there is no metric " << name);
  return block.metrics.front();
}

// Items `from` to `to` of one data set, all asked in both arms.
TrialData some_trial(int from, int to, int control_right, int treatment_right) {
  std::vector<Question> all = questions("nq", to);
  all.erase(all.begin(), all.begin() + from);
  const int count = to - from;
  TrialData out = trial("t", arm("c", Condition::control, all, first_right(count, control_right)),
                        arm("t", Condition::treatment, all, first_right(count, treatment_right)));
  out.trial.prompt_set = "set";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(compare)

BOOST_AUTO_TEST_CASE(differences_name_what_changed_and_what_is_missing) {
  const auto found =
      differences({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {{"a", "1"}, {"b", "4"}, {"d", "5"}});
  BOOST_REQUIRE_EQUAL(found.size(), 3u);
  BOOST_TEST(found[0].key == "b");
  BOOST_TEST(found[0].a.value() == "2");
  BOOST_TEST(found[0].b.value() == "4");
  BOOST_TEST(found[1].key == "c");
  BOOST_TEST(!found[1].b);
  BOOST_TEST(found[2].key == "d");
  BOOST_TEST(!found[2].a);
}

// A: items 0-19, 10 of 20 right under control, 15 under treatment. B: items 10-29, of which the
// control has the first 10 right (items 10-19) and the treatment the first 5 (items 10-14).
// Over the ten items of both: A control 0/10, A treatment 5/10, B control 10/10, B treatment 5/10.
BOOST_AUTO_TEST_CASE(deltas_are_over_the_items_that_coincide) {
  const TrialData a = some_trial(0, 20, 10, 15), b = some_trial(10, 30, 10, 5);
  const RunComparison found = compare_runs({a}, {b}, quick_options());
  BOOST_REQUIRE_EQUAL(found.trials.size(), 1u);
  const BlockComparison& block = found.trials[0].temperatures.at(0).blocks.at(0);
  BOOST_TEST(block.in_both == 10);
  BOOST_TEST(block.only_a == 10);
  BOOST_TEST(block.only_b == 10);
  const MetricComparison& em = metric(found, "em");
  BOOST_TEST(em.control.n == 10);
  BOOST_TEST(em.control.a.value() == 0.0);
  BOOST_TEST(em.control.b.value() == 1.0);
  BOOST_TEST(em.control.delta.value() == 1.0);
  BOOST_TEST(em.control.interval.value().low == 1.0);  // every item says the same
  BOOST_TEST(em.treatment.delta.value() == 0.0);
  BOOST_TEST(em.effect.a.value() == 0.5);
  BOOST_TEST(em.effect.b.value() == -0.5);
  BOOST_TEST(em.effect.delta.value() == -1.0);
  const MetricComparison& abstain = metric(found, "abstain_rate");
  BOOST_TEST(abstain.effect.delta.value() == 0.0);
}

BOOST_AUTO_TEST_CASE(a_run_against_itself_differs_in_nothing) {
  const TrialData a = some_trial(0, 20, 10, 15);
  const RunComparison found = compare_runs({a}, {a}, quick_options());
  const ValueComparison& effect = metric(found, "em").effect;
  BOOST_TEST(effect.n == 20);
  BOOST_TEST(effect.a.value() == 0.25);
  BOOST_TEST(effect.delta.value() == 0.0);
  BOOST_TEST(effect.interval.value().low == 0.0);
  BOOST_TEST(effect.interval.value().high == 0.0);
  BOOST_TEST(found.trials[0].same_control_prompt);
}

// Half of the items gain one under B's treatment: the interval is that of a mean of zeros and ones.
BOOST_AUTO_TEST_CASE(intervals_are_paired_by_item_and_repeatable) {
  const TrialData a = some_trial(0, 100, 30, 30), b = some_trial(0, 100, 30, 80);
  const RunComparison found = compare_runs({a}, {b}, quick_options());
  const ValueComparison& effect = metric(found, "em").effect;
  BOOST_TEST(effect.delta.value() == 0.5, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(effect.interval.value().low > 0.35);
  BOOST_TEST(effect.interval.value().low < 0.45);
  BOOST_TEST(effect.interval.value().high > 0.55);
  BOOST_TEST(effect.interval.value().high < 0.65);
  // What other trials the runs hold changes nothing.
  TrialData other = some_trial(0, 10, 1, 2);
  other.trial.prompt_set = "another";
  const RunComparison more = compare_runs({other, a}, {b}, quick_options());
  BOOST_TEST((more.trials.at(0).temperatures.at(0).blocks.at(0).metrics.at(0).effect.interval ==
              effect.interval));
  BOOST_REQUIRE_EQUAL(more.only_a.size(), 1u);
}

// An item that one of the four arms did not answer is out of the effect and of that arm's means.
BOOST_AUTO_TEST_CASE(missing_answers_leave_their_item_out) {
  const std::vector<Question> asked = questions("nq", 4);
  std::vector<Answer> with_gap = first_right(4, 4);
  with_gap[1].outcome = Outcome::error_request;
  const auto full = arm("c", Condition::control, asked, first_right(4, 0));
  const TrialData a = trial("t", full, arm("t", Condition::treatment, asked, with_gap));
  const TrialData b = trial("t", full, arm("t", Condition::treatment, asked, first_right(4, 4)));
  const RunComparison found = compare_runs({a}, {b}, quick_options());
  const MetricComparison& em = metric(found, "em");
  BOOST_TEST(em.control.n == 4);
  BOOST_TEST(em.treatment.n == 3);
  BOOST_TEST(em.effect.n == 3);
  BOOST_TEST(found.trials[0].temperatures[0].blocks[0].in_both == 4);
}

BOOST_AUTO_TEST_CASE(trials_match_by_model_prompt_set_and_decoding) {
  const TrialData a = some_trial(0, 4, 1, 2);
  const auto matches = [&](auto change) {
    TrialData b = a;
    change(b.trial);
    return compare_runs({a}, {b}, quick_options()).trials.size() == 1;
  };
  BOOST_TEST(matches([](TrialSpec& t) { t.slug = "another-hash"; }));
  BOOST_TEST(matches([](TrialSpec& t) { t.model_alias = "nickname"; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.model = "m2"; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.backend = "b2"; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.prompt_set = "p2"; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.top_p = 0.5; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.top_k = 5; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.max_new_tokens.closed_book = 5; }));
  BOOST_TEST(!matches([](TrialSpec& t) { t.superseded = true; }));
  TrialData old = a;
  old.trial.superseded = true;
  const RunComparison found = compare_runs({old, a}, {a}, quick_options());
  BOOST_TEST(found.trials.size() == 1u);
  BOOST_TEST(found.only_a.empty());
}

BOOST_AUTO_TEST_CASE(temperatures_engines_and_prompts_that_differ_are_told) {
  const TrialData a = some_trial(0, 4, 1, 2);
  TrialData b = a;
  b.pairs.push_back(b.pairs[0]);
  b.pairs[1].temperature = 0.7;
  auto treatment = std::make_shared<ArmData>(*b.pairs[0].treatment);
  treatment->spec.system_prompt_sha256 = "edited";
  treatment->complete = false;
  auto control = std::make_shared<ArmData>(*b.pairs[0].control);
  control->engine_identity = R"({"engine":"new"})";
  b.pairs[0].treatment = treatment;
  b.pairs[0].control = control;
  const TrialComparison found = compare_runs({a}, {b}, quick_options()).trials.at(0);
  BOOST_TEST(found.engine_a == R"({"engine":"test"})");
  BOOST_TEST(found.engine_b == R"({"engine":"new"})");
  BOOST_TEST(found.same_control_prompt);
  BOOST_TEST(!found.same_treatment_prompt);
  BOOST_REQUIRE_EQUAL(found.temperatures.size(), 2u);
  BOOST_TEST(found.temperatures[0].complete_a);
  BOOST_TEST(!found.temperatures[0].complete_b);
  BOOST_TEST(!found.temperatures[1].in_a);
  BOOST_TEST(found.temperatures[1].in_b);
  BOOST_TEST(found.temperatures[1].blocks.empty());
}

// A run of one condition has no effect to compare, and an arm that has not begun nothing at all.
BOOST_AUTO_TEST_CASE(absent_arms_give_no_numbers) {
  TrialData a = some_trial(0, 4, 1, 2);
  a.pairs[0].control = nullptr;
  const RunComparison found = compare_runs({a}, {some_trial(0, 4, 1, 2)}, quick_options());
  const MetricComparison& em = metric(found, "em");
  BOOST_TEST(em.control.n == 0);
  BOOST_TEST(!em.control.delta);
  BOOST_TEST(em.treatment.n == 4);
  BOOST_TEST(em.effect.n == 0);
  TrialData empty = a;
  empty.pairs[0].treatment = std::make_shared<ArmData>();
  const RunComparison nothing = compare_runs({empty}, {a}, quick_options());
  BOOST_TEST(nothing.trials[0].engine_a.empty());
  BOOST_TEST(nothing.trials[0].temperatures[0].blocks[0].only_b == 4);
  BOOST_TEST(nothing.trials[0].temperatures[0].blocks[0].metrics.empty());
}

BOOST_AUTO_TEST_SUITE_END()
