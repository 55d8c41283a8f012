// SPDX-License-Identifier: Apache-2.0
#include "report/json.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "run_fixture.h"

using namespace report_test;
using nlohmann::json;

namespace {

bool has_bad_number(const std::string& text) {
  for (const char* bad : {": nan", ": -nan", ": inf", ": -inf", ": NaN", ": Infinity"}) {
    if (text.find(bad) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_suite)

BOOST_AUTO_TEST_CASE(the_block_keeps_the_original_shape) {
  const RunFindings run = some_run();
  const json file = json::parse(trial_significance_json(run.trials[0]));
  BOOST_TEST(file.at("schema_version") == 3);
  const json& block = file.at("results").at("0").at("closed");
  BOOST_TEST(block.at("n_items") == 40);
  BOOST_TEST(block.at("n_pairs") == 38);
  for (const char* key : {"b", "c", "p_exact", "odds_ratio", "or_ci_95", "q_value"}) {
    BOOST_TEST(block.at("mcnemar").contains(key), key);
  }
  const json& abstained = block.at("metrics").at("abstain_rate");
  for (const char* key : {"n_items", "delta_mean", "ci_95", "wilcoxon", "hodges_lehmann",
                          "cohens_d", "cliffs_delta", "perm_p_value", "q_value"}) {
    BOOST_TEST(abstained.contains(key), key);
  }
  BOOST_TEST(abstained.at("mcnemar").at("b") == 20);
  BOOST_TEST(abstained.at("mcnemar").at("odds_ratio").is_null());  // infinite
  BOOST_TEST(abstained.at("mcnemar").at("or_ci_95").at(1).is_null());
  BOOST_TEST(abstained.at("verdict") == "higher");
  BOOST_TEST(block.at("subgroups").at("dataset").at("nq").at("n_pairs") == 38);
  BOOST_TEST(file.at("family").at("hash") == run.family_hash);
  BOOST_TEST(block.at("attrition").at("missing_items").at("treatment").at("truncated") == 1);
  BOOST_TEST(!block.at("metrics_other_behaviour").is_null());
}

// D14: what was not measured was printed as 0.
BOOST_AUTO_TEST_CASE(unmeasured_is_null) {
  const RunFindings run = some_run();
  const json file = json::parse(trial_significance_json(run.trials[0]));
  const json& f1 = file.at("results").at("0").at("closed").at("metrics").at("f1");
  BOOST_TEST(f1.at("n_items") == 0);
  for (const char* key : {"mean_control", "delta_mean", "ci_95", "p_value", "q_value"}) {
    BOOST_TEST(f1.at(key).is_null(), key);
  }
}

// D15: a failed or interrupted analysis left `{}` for ever. Whatever the data, the document has
// all of its parts.
BOOST_AUTO_TEST_CASE(no_data_gives_a_whole_document) {
  TrialData data;
  data.trial.slug = "empty";
  data.pairs.push_back({0.7, std::make_shared<ArmData>(), std::make_shared<ArmData>()});
  const TrialFindings found = analyze_trial(data, quick_options());
  const json file = json::parse(trial_significance_json(found));
  BOOST_TEST(file.at("complete") == false);
  BOOST_TEST(file.at("results").at("0.7").is_object());
  BOOST_TEST(!file.at("caveats").empty());
  const json run = json::parse(run_significance_json(correct_over_sweep({found}, quick_options())));
  BOOST_TEST(run.at("family").at("size") == 0);
}

// Decision 4: a trial's own part does not depend on the other trials of the run.
BOOST_AUTO_TEST_CASE(without_q_a_trial_equals_itself_alone) {
  const RunFindings run = some_run();
  const RunFindings alone = correct_over_sweep(
      {analyze_trial(some_trial("cautious", true), quick_options())}, quick_options());
  BOOST_TEST(trial_significance_json(run.trials[0], false) ==
             trial_significance_json(alone.trials[0], false));
  BOOST_TEST(trial_significance_json(run.trials[0]) != trial_significance_json(alone.trials[0]));
}

BOOST_AUTO_TEST_CASE(the_family_is_in_the_run) {
  const RunFindings run = some_run();
  const std::string text = run_significance_json(run);
  const json file = json::parse(text);
  BOOST_TEST(file.at("family").at("members").size() == run.family.size());
  BOOST_TEST(file.at("superseded") == json::array({"old"}));
  BOOST_TEST(file.at("trials").at(1).at("complete") == false);
  for (const TrialFindings& trial : run.trials) {
    BOOST_TEST(!has_bad_number(trial_significance_json(trial)));
  }
  BOOST_TEST(!has_bad_number(text));
}

// D32: no price is null with a reason, not 0.
BOOST_AUTO_TEST_CASE(costs_without_a_price) {
  RunFindings run = some_run();
  RunPlan plan;
  for (const char* id : {"control", "treatment"}) {
    ArmSpec spec;
    spec.arm_id = id;
    plan.arms.push_back(spec);
  }
  TrialSpec spec;
  spec.slug = "cautious";
  spec.pairs = {{0.0, "control", "treatment"}};
  plan.trials = {spec};
  PriceQuote local;
  local.reason = "local engine: no price per token";
  ArmUsage used;
  used.arm_id = "control";
  used.rows = 3;
  used.prompt_tokens = 100;
  attach_costs(run, run_cost(plan, {used}, {{"", local}}));
  const json trial = json::parse(trial_costs_json(run.trials[0], run));
  BOOST_TEST(trial.at("usd").is_null());
  BOOST_TEST(trial.at("reason") == local.reason);
  BOOST_TEST(trial.at("arms").at(0).at("prompt_tokens") == 100);
  BOOST_TEST(trial.at("arms").at(0).at("condition") == "control");
  const json whole = json::parse(run_costs_json(run));
  BOOST_TEST(whole.at("usd_total").is_null());
  BOOST_TEST(whole.at("arms").size() == 2u);
  BOOST_TEST(whole.at("arms_without_price") == 2);
  // A trial that the books do not know says so.
  BOOST_TEST(json::parse(trial_costs_json(run.trials[1], run)).at("usd").is_null());
}

BOOST_AUTO_TEST_SUITE_END()
