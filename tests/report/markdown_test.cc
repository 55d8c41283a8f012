// SPDX-License-Identifier: Apache-2.0
#include "report/markdown.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "run_fixture.h"

using namespace report_test;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

RunFindings run_with_costs() {
  RunFindings run = some_run();
  RunCost cost;
  cost.usd_total = 0.5;
  cost.arms.resize(2);
  cost.arms[0].usd = 0.5;
  cost.arms[1].reason = "local engine: no price per token";
  cost.arms_without_price = 1;
  cost.trials.push_back(
      {"cautious", {{"control", Condition::control, 0, 2, 0.2, 0.1}}, 0.2, 0.1, false, ""});
  attach_costs(run, cost);
  return run;
}

// The text against tests/report/golden/NAME; PROMPTSWEEP_UPDATE_GOLDEN=1 writes the file anew.
void check_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(PROMPTSWEEP_SOURCE_DIR) + "/tests/report/golden/" + name;
  if (std::getenv("PROMPTSWEEP_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream stream(path);
  std::stringstream expected;
  expected << stream.rdbuf();
  BOOST_TEST(text == expected.str());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(markdown_suite)

BOOST_AUTO_TEST_CASE(golden_reports) {
  const RunFindings run = run_with_costs();
  check_golden("report.md", trial_markdown(run.trials[0]));
  check_golden("aggregate_report.md", aggregate_markdown(run));
  check_golden("sweep_table.txt", sweep_table(run));
}

BOOST_AUTO_TEST_CASE(a_verdict_a_researcher_can_read) {
  const std::string report = trial_markdown(some_run().trials[0]);
  BOOST_TEST(has(report, "- Abstention rose by 52.6 points (0.0 % to 52.6 %; 95 % CI ["));
  BOOST_TEST(has(report, "- Accuracy (exact match): no detectable change (0.0 points;"));
  BOOST_TEST(has(report, "- Answers to unanswerable questions fell by 100.0 points"));
}

// D14: the table of a run averaged control and treatment together.
BOOST_AUTO_TEST_CASE(control_and_treatment_stand_side_by_side) {
  const std::string report = aggregate_markdown(some_run());
  BOOST_TEST(has(report,
                 "| cautious | toy | set_cautious | 0 | closed-book | 38 | 0.0 % | 52.6 % | "
                 "+52.6 |"));
}

// D14: closed-book F1 was printed as 0.0 % although it was not measured.
BOOST_AUTO_TEST_CASE(unmeasured_is_a_dash) {
  const std::string report = trial_markdown(some_run().trials[0]);
  BOOST_TEST(has(report, "| F1 | 0 | \u2013 | \u2013 | \u2013 | \u2013 | \u2013 | \u2013 |"));
}

// D19: with several data sets the subgroups vanished or had the wrong title.
BOOST_AUTO_TEST_CASE(data_sets_are_shown_under_their_task) {
  std::vector<Question> asked = questions("nq", 10);
  for (const Question& q : questions("trivia", 10)) asked.push_back(q);
  const TrialFindings found =
      analyze_trial(trial("a", arm("c", Condition::control, asked, first_right(20, 5)),
                          arm("t", Condition::treatment, asked, first_right(20, 12))),
                    quick_options());
  const std::string report = trial_markdown(found);
  BOOST_TEST(has(report, "| nq: EM | 10 | 50.0 % | 100.0 % | +50.0 |"));
  BOOST_TEST(has(report, "| trivia: EM | 10 | 0.0 % | 20.0 % | +20.0 |"));
}

BOOST_AUTO_TEST_CASE(incomplete_and_superseded_are_marked) {
  const RunFindings run = run_with_costs();
  BOOST_TEST(has(trial_markdown(run.trials[1]), "# Trial same (incomplete)"));
  BOOST_TEST(has(trial_markdown(run.trials[1]), "**Preliminary:**"));
  BOOST_TEST(has(trial_markdown(run.superseded[0]), "(superseded)"));
  const std::string aggregate = aggregate_markdown(run);
  BOOST_TEST(has(aggregate, "same (incomplete)"));
  BOOST_TEST(!has(aggregate, "| old |"));
  BOOST_TEST(has(aggregate, "- old\n"));
  BOOST_TEST(
      has(aggregate, "Total $0.5000 over 2 arms, each counted once; 1 of them have no known"));
}

BOOST_AUTO_TEST_CASE(nothing_yet_is_said) {
  TrialData data;
  data.trial.slug = "empty";
  const std::string report = trial_markdown(analyze_trial(data, quick_options()));
  BOOST_TEST(has(report, "Nothing is comparable yet"));
  BOOST_TEST(sweep_table(correct_over_sweep({}, quick_options())).find("model") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
