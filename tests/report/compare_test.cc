// SPDX-License-Identifier: Apache-2.0
#include "report/compare.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "run_fixture.h"

using namespace report_test;

namespace {

RunComparison some_comparison() {
  TrialData a = some_trial("x", false), b = some_trial("x", true);
  b.trial.slug = "x2";
  RunComparison out = compare_runs({a, some_trial("old", false)}, {b}, quick_options());
  out.run_a = "r1";
  out.run_b = "r2";
  out.state_a = "sealed";
  out.state_b = "incomplete";
  out.configuration = {{"temps", "[0]", "[0.7]"}, {"stop", std::nullopt, "[x]"}};
  out.trials.at(0).engine = {{"build", "1", "2"}};
  return out;
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(compare_report)

BOOST_AUTO_TEST_CASE(a_comparison_reads_as_text) {
  RunComparison comparison = some_comparison();
  comparison.trials[0].prompt_set = "cautious";
  const std::string text = compare_text(comparison);
  for (const char* part :
       {"A: run r1 (sealed)", "B: run r2 (incomplete)", "configuration: 2 differences",
        "command line: no difference", "toy, cautious (x / x2)", "engine: another identity",
        "items, closed-book: 40 in both, 0 only in A, 0 only in B", "95 % CI",
        "trials: 1 in both, 1 only in A, 0 only in B", "only in A: old"})
    BOOST_TEST(says(text, part), part << " is not in\n" << text);
  BOOST_TEST(says(text, "\u2013"));  // stop is absent in A
  BOOST_TEST(!says(text, " nan"));
}

BOOST_AUTO_TEST_CASE(what_is_not_measured_is_null_in_json) {
  RunComparison comparison = some_comparison();
  comparison.trials[0].temperatures[0].blocks[0].metrics[0].effect = {};
  const nlohmann::json out = nlohmann::json::parse(compare_json(comparison));
  BOOST_TEST(out["a"]["state"] == "sealed");
  BOOST_TEST(out["configuration"][1]["a"].is_null());
  const nlohmann::json& trial = out["trials"][0];
  BOOST_TEST(trial["engine_a"]["engine"] == "test");
  BOOST_TEST(trial["engine_differences"][0]["b"] == "2");
  const nlohmann::json& closed = trial["temperatures"][0]["results"]["closed"];
  BOOST_TEST(closed["items"]["in_both"] == 40);
  BOOST_TEST(closed["metrics"]["em"]["effect"]["n_items"] == 0);
  BOOST_TEST(closed["metrics"]["em"]["effect"]["delta"].is_null());
  BOOST_TEST(closed["metrics"]["em"]["effect"]["ci"].is_null());
  const nlohmann::json& abstain = closed["metrics"]["abstain_rate"]["effect"];
  BOOST_TEST(abstain["ci"].size() == 2u);
  BOOST_TEST(abstain["delta"].get<double>() > 0.4);
  BOOST_TEST(out["only_a"][0] == "old");
}

BOOST_AUTO_TEST_SUITE_END()
