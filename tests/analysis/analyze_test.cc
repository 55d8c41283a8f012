// SPDX-License-Identifier: Apache-2.0
#include "analysis/analyze.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "trial_fixture.h"

using namespace analysis_test;

namespace {

MetricFinding metric(const TrialFindings& trial, const std::string& name,
                     TaskType type = TaskType::closed_book) {
  for (const BlockFindings& block : trial.temperatures.at(0).blocks) {
    if (block.type != type) continue;
    if (const MetricFinding* found = block.find(name)) return *found;
  }
  throw std::out_of_range("no metric " + name);
}

bool has_caveat(const TrialFindings& trial, const std::string& code) {
  return std::any_of(trial.caveats.begin(), trial.caveats.end(),
                     [&](const Caveat& c) { return c.code == code; });
}

bool near(std::optional<double> got, double want) { return std::abs(got.value() - want) < 1e-12; }

TrialFindings closed_trial(int count, int control_right, int treatment_right) {
  const auto asked = questions("nq", count);
  return analyze_trial(
      trial("a", arm("c", Condition::control, asked, first_right(count, control_right)),
            arm("t", Condition::treatment, asked, first_right(count, treatment_right))),
      quick_options());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(analyze_suite)

BOOST_AUTO_TEST_CASE(a_gain_in_accuracy) {
  const TrialFindings found = closed_trial(40, 10, 20);
  const MetricFinding& em = metric(found, "em");
  BOOST_TEST(em.n_pairs == 40);
  BOOST_TEST(near(em.mean_control, 0.25));
  BOOST_TEST(near(em.mean_treatment, 0.5));
  BOOST_TEST(near(em.delta, 0.25));
  BOOST_TEST(em.mcnemar->b == 10);
  BOOST_TEST(em.mcnemar->c == 0);
  BOOST_TEST(near(em.p, std::ldexp(1.0, -9)));
  BOOST_TEST(em.p_test == "mcnemar_exact");
  BOOST_TEST(em.mcnemar->status == "infinite");
  BOOST_TEST(!em.mcnemar->odds_ratio.has_value());
  BOOST_TEST(!em.mcnemar->or_high.has_value());
  BOOST_TEST((em.ci->low > 0.05 && em.ci->low < 0.25 && em.ci->high > 0.25 && em.ci->high < 0.45));
  BOOST_TEST((em.verdict == Verdict::higher));
  BOOST_TEST(!em.q_bh.has_value());
  BOOST_TEST(found.complete);
}

BOOST_AUTO_TEST_CASE(no_change_is_p_one_and_a_point) {
  const MetricFinding& em = metric(closed_trial(12, 5, 5), "em");
  BOOST_TEST(*em.p == 1);
  BOOST_TEST(*em.wilcoxon_p == 1);
  BOOST_TEST(*em.perm_p == 1);
  BOOST_TEST((*em.ci == Interval{0, 0}));
  BOOST_TEST(!em.cohens_d.has_value());
  BOOST_TEST(!em.rank_biserial.has_value());
  BOOST_TEST((em.verdict == Verdict::no_detectable_change));
  BOOST_TEST(em.mcnemar->status == "no_discordant_pairs");
}

BOOST_AUTO_TEST_CASE(what_is_not_measured_is_absent) {
  const MetricFinding& f1 = metric(closed_trial(12, 5, 6), "f1");
  BOOST_TEST(f1.n_pairs == 0);
  BOOST_TEST(!f1.mean_control.has_value());
  BOOST_TEST(!f1.p.has_value());
  BOOST_TEST((f1.verdict == Verdict::not_measured));
}

// D11: "every unanswerable question answered" showed as 50 %, and abstention passed as accuracy.
BOOST_AUTO_TEST_CASE(false_answers_are_over_unanswerable_questions_only) {
  std::vector<Question> asked = questions("squad", 40, TaskType::open_book);
  for (std::size_t i = 0; i < 20; ++i) asked[i].is_unanswerable = true;
  std::vector<Answer> control(40), treatment(40);
  for (std::size_t i = 0; i < 20; ++i) {
    treatment[i] = {1, true, Outcome::ok, 1.0, std::nullopt};  // refuses: right for SQuAD 2
  }
  const TrialFindings found = analyze_trial(trial("a", arm("c", Condition::control, asked, control),
                                                  arm("t", Condition::treatment, asked, treatment)),
                                            quick_options());
  const MetricFinding& false_answer = metric(found, "false_answer_rate", TaskType::open_book);
  BOOST_TEST(false_answer.n_pairs == 20);
  BOOST_TEST(near(false_answer.mean_control, 1.0));
  BOOST_TEST(near(false_answer.mean_treatment, 0.0));
  BOOST_TEST(near(metric(found, "em", TaskType::open_book).delta, 0.5));
  const MetricFinding& answerable = metric(found, "em_answerable", TaskType::open_book);
  BOOST_TEST(answerable.n_pairs == 20);
  BOOST_TEST(near(answerable.delta, 0.0));
  BOOST_TEST(has_caveat(found, "em_credits_abstention"));
  const MetricFinding& abstained = metric(found, "abstain_rate", TaskType::open_book);
  BOOST_TEST(abstained.mcnemar->b == 20);  // abstention is an outcome of its own
  BOOST_TEST((abstained.verdict == Verdict::higher));
}

// D16: one generator for all blocks, so that rows of another data set changed an interval.
BOOST_AUTO_TEST_CASE(a_data_set_more_changes_no_other_interval) {
  const auto make = [](bool with_second) {
    std::vector<Question> asked = questions("nq", 30);
    std::vector<Answer> control = first_right(30, 8), treatment = first_right(30, 15);
    if (with_second) {
      for (const Question& q : questions("trivia", 5)) asked.push_back(q);
      control.resize(35);
      treatment.resize(35);
    }
    return analyze_trial(trial("a", arm("c", Condition::control, asked, control),
                               arm("t", Condition::treatment, asked, treatment)),
                         quick_options());
  };
  const TrialFindings alone = make(false), both = make(true);
  const BlockFindings& one = alone.temperatures[0].blocks[0].subgroups.at(0);
  const BlockFindings& same = both.temperatures[0].blocks[0].subgroups.at(0);
  BOOST_TEST(both.temperatures[0].blocks[0].subgroups.size() == 2u);
  BOOST_TEST(one.dataset == "nq");
  BOOST_TEST((*one.find("em")->ci == *same.find("em")->ci));
  BOOST_TEST(*one.find("em")->perm_p == *same.find("em")->perm_p);
}

BOOST_AUTO_TEST_CASE(behaviour_outcomes_both_ways) {
  const auto asked = questions("nq", 40);
  std::vector<Answer> treatment = first_right(40, 20);
  for (std::size_t i = 0; i < 10; ++i) treatment[i].outcome = Outcome::truncated;
  const TrialFindings found =
      analyze_trial(trial("a", arm("c", Condition::control, asked, first_right(40, 20)),
                          arm("t", Condition::treatment, asked, treatment)),
                    quick_options());
  const BlockFindings& block = found.temperatures[0].blocks[0];
  BOOST_TEST(block.n_pairs == 30);
  BOOST_TEST(near(block.find("em")->delta, 0.0));
  BOOST_TEST_REQUIRE(!block.metrics_other.empty());
  BOOST_TEST(near(block.metrics_other[0].delta, -0.25));
  BOOST_TEST(has_caveat(found, "behaviour_outcomes"));
  BOOST_TEST(has_caveat(found, "unequal_attrition"));
  BOOST_TEST(has_caveat(found, "low_pairing"));
}

BOOST_AUTO_TEST_CASE(several_samples_are_means_tested_by_wilcoxon) {
  const auto asked = questions("nq", 12);
  auto control = arm("c", Condition::control, asked, first_right(12, 0));
  auto treatment = arm("t", Condition::treatment, asked, first_right(12, 0));
  treatment->spec.decoding.samples_per_item = 3;
  Score right;
  right.em = 1;
  for (std::size_t i = 0; i < 6; ++i)
    treatment->cells[i].primary = ItemSums::of({right, {}, {}}).value();
  const TrialFindings found = analyze_trial(trial("a", control, treatment), quick_options());
  const MetricFinding& em = metric(found, "em");
  BOOST_TEST(em.mcnemar->b == 0);  // a third of the samples is not 0.5
  BOOST_TEST(em.p_test == "wilcoxon_exact");
  BOOST_TEST(near(em.p, 2 * std::ldexp(1.0, -6)));
  BOOST_TEST(has_caveat(found, "several_samples"));
}

BOOST_AUTO_TEST_CASE(one_condition_shows_its_means_and_compares_nothing) {
  const TrialFindings found = analyze_trial(
      trial("a", arm("c", Condition::control, questions("nq", 8), first_right(8, 2)), nullptr),
      quick_options());
  const MetricFinding& em = metric(found, "em");
  BOOST_TEST(near(em.mean_control, 0.25));
  BOOST_TEST(!em.mean_treatment.has_value());
  BOOST_TEST(!em.delta.has_value());
  BOOST_TEST(has_caveat(found, "one_condition"));
}

BOOST_AUTO_TEST_CASE(an_arm_that_has_not_run_is_incomplete) {
  const auto empty = std::make_shared<ArmData>();
  const TrialFindings found = analyze_trial(
      trial("a", arm("c", Condition::control, questions("nq", 8), first_right(8, 2)), empty),
      quick_options());
  BOOST_TEST(!found.complete);
  BOOST_TEST(has_caveat(found, "incomplete"));
  BOOST_TEST(found.temperatures[0].blocks[0].n_pairs == 0);
}

// D16: with one pair the original found non-inferiority.
BOOST_AUTO_TEST_CASE(one_pair_proves_nothing) {
  const MetricFinding& em = metric(closed_trial(1, 0, 1), "em");
  BOOST_TEST(*em.p == 1);
  BOOST_TEST(!em.equivalence->p_equivalence.has_value());
  BOOST_TEST(!em.equivalence->non_inferior);
}

BOOST_AUTO_TEST_SUITE_END()
