// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE cost
#include "cost/pricing.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

using namespace promptsweep;

namespace {

ResultRow row(std::optional<std::int64_t> prompt, std::optional<std::int64_t> completion) {
  ResultRow out;
  out.outcome = Outcome::ok;
  out.prompt_tokens = prompt;
  out.completion_tokens = completion;
  return out;
}

ArmUsage usage(const std::string& arm_id, std::int64_t prompt, std::int64_t completion) {
  ArmUsage out;
  out.arm_id = arm_id;
  out.rows = 10;
  out.prompt_tokens = prompt;
  out.completion_tokens = completion;
  return out;
}

PriceQuote quote(double input, double output, bool batch = false) {
  PriceQuote out;
  out.price = TokenPrice{input, output, std::nullopt, std::nullopt, std::nullopt};
  out.batch = batch;
  return out;
}

ArmSpec arm(const std::string& id, const std::string& engine) {
  ArmSpec out;
  out.arm_id = id;
  out.engine_id = engine;
  return out;
}

TrialSpec trial(const std::string& slug, const std::string& control, const std::string& treatment) {
  TrialSpec out;
  out.slug = slug;
  out.pairs.push_back({0.0, control, treatment});
  return out;
}

bool near(double got, double want) { return std::abs(got - want) < 1e-12; }

}  // namespace

BOOST_AUTO_TEST_CASE(tokens_times_price) {
  const ArmCost cost = price_arm(usage("a", 2'000'000, 500'000), quote(0.15, 0.60));
  BOOST_TEST(near(cost.usd.value(), 0.60));
  BOOST_TEST(cost.rate_type == "standard");
  BOOST_TEST(!cost.lower_bound);
}

BOOST_AUTO_TEST_CASE(batch_rates_are_explicit_or_a_multiplier) {
  PriceQuote q = quote(1, 2, true);
  q.price->batch_multiplier = 0.6;  // pays 60 %, not 40 % (the original's audit inverted it)
  BOOST_TEST(near(price_arm(usage("a", 1'000'000, 0), q).usd.value(), 0.6));
  BOOST_TEST(price_arm(usage("a", 1, 1), q).rate_type == "batch_multiplier");
  q.price->input_per_mtok_batch = 0.3;
  q.price->output_per_mtok_batch = 0.9;
  BOOST_TEST(near(price_arm(usage("a", 1'000'000, 1'000'000), q).usd.value(), 1.2));
  BOOST_TEST(price_arm(usage("a", 1, 1), q).rate_type == "batch");
  q.batch = false;
  BOOST_TEST(near(price_arm(usage("a", 1'000'000, 0), q).usd.value(), 1.0));
}

// D32: rows without token counts made an arm cost 0.
BOOST_AUTO_TEST_CASE(no_token_counts_is_not_free) {
  ArmUsage none;
  none.add(row(std::nullopt, std::nullopt));
  const ArmCost unknown = price_arm(none, quote(1, 1));
  BOOST_TEST(!unknown.usd.has_value());
  BOOST_TEST(!unknown.reason.empty());

  none.add(row(1'000'000, 0));
  const ArmCost partial = price_arm(none, quote(1, 1));
  BOOST_TEST(near(partial.usd.value(), 1));
  BOOST_TEST(partial.lower_bound);
}

// D32: a local run got a cloud price with a batch discount.
BOOST_AUTO_TEST_CASE(a_local_engine_has_no_price) {
  PriceQuote local;
  local.reason = "local engine: no price per token";
  local.batch = true;
  const ArmCost cost = price_arm(usage("a", 1000, 1000), local);
  BOOST_TEST(!cost.usd.has_value());
  BOOST_TEST(!cost.input_rate_per_mtok.has_value());
  BOOST_TEST(cost.rate_type.empty());
  BOOST_TEST(cost.reason == "local engine: no price per token");
  BOOST_TEST(cost.usage.prompt_tokens == 1000);
}

// D22: rows that were reused were paid for again in the books.
BOOST_AUTO_TEST_CASE(cached_rows_are_left_out) {
  ArmUsage used;
  ResultRow cached = row(1'000'000, 1'000'000);
  cached.cached = true;
  used.add(cached);
  used.add(row(2'000'000, 0));
  BOOST_TEST(used.cached_rows == 1);
  BOOST_TEST(used.rows == 1);
  BOOST_TEST(used.prompt_tokens == 2'000'000);
  BOOST_TEST(used.completion_tokens == 0);
  BOOST_TEST(used.reused_prompt_tokens == 1'000'000);
  BOOST_TEST(used.reused_completion_tokens == 1'000'000);
  BOOST_TEST(near(price_arm(used, quote(1, 1)).usd.value(), 2));
  // Nothing but reused rows: the price is known, and it is nothing.
  ArmUsage all_reused;
  all_reused.add(cached);
  BOOST_TEST(price_arm(all_reused, quote(1, 1)).usd.value() == 0.0);
  BOOST_TEST(!price_arm(all_reused, quote(1, 1)).lower_bound);
}

BOOST_AUTO_TEST_CASE(repeated_attempts_make_a_lower_bound) {
  ArmUsage used;
  ResultRow twice = row(10, 10);
  twice.attempts = 3;
  used.add(twice);
  BOOST_TEST(used.extra_attempts == 2);
  BOOST_TEST(price_arm(used, quote(1, 1)).lower_bound);
}

BOOST_AUTO_TEST_CASE(a_shared_control_is_counted_once) {
  RunPlan plan;
  plan.arms = {arm("control", "e"), arm("t1", "e"), arm("t2", "e")};
  plan.trials = {trial("one", "control", "t1"), trial("two", "control", "t2")};
  plan.trials[1].superseded = true;  // its cost stays in the total
  const RunCost run = run_cost(
      plan, {usage("control", 4'000'000, 0), usage("t1", 1'000'000, 0), usage("t2", 2'000'000, 0)},
      {{"e", quote(1, 1)}});
  BOOST_TEST(near(run.usd_total.value(), 7));
  BOOST_TEST_REQUIRE(run.trials.size() == 2u);
  BOOST_TEST(near(run.trials[0].usd_full.value(), 5));
  BOOST_TEST(near(run.trials[0].usd_share.value(), 3));
  BOOST_TEST(near(run.trials[1].usd_share.value(), 4));
  BOOST_TEST(run.trials[0].arms[0].shared_by == 2);
  BOOST_TEST(near(*run.trials[0].usd_share + *run.trials[1].usd_share, *run.usd_total));
}

// D32: one configured price was applied to every model.
BOOST_AUTO_TEST_CASE(each_engine_has_its_own_price) {
  RunPlan plan;
  plan.arms = {arm("a", "cloud"), arm("b", "dear"), arm("c", "unlisted")};
  plan.trials = {trial("one", "a", "b"), trial("two", "a", "c")};
  const RunCost run =
      run_cost(plan, {usage("a", 1'000'000, 0), usage("b", 1'000'000, 0), usage("c", 1'000'000, 0)},
               {{"cloud", quote(1, 1)}, {"dear", quote(10, 10)}});
  BOOST_TEST(near(run.usd_total.value(), 11));
  BOOST_TEST(run.arms_without_price == 1);
  BOOST_TEST(near(run.trials[0].usd_full.value(), 11));
  BOOST_TEST(!run.trials[1].usd_full.has_value());
  BOOST_TEST(!run.trials[1].reason.empty());
}

BOOST_AUTO_TEST_CASE(an_arm_that_has_not_run_costs_nothing_yet) {
  RunPlan plan;
  plan.arms = {arm("a", "e"), arm("b", "e")};
  plan.trials = {trial("one", "a", "b")};
  const RunCost run = run_cost(plan, {usage("a", 1'000'000, 0)}, {{"e", quote(1, 1)}});
  BOOST_TEST(near(run.usd_total.value(), 1));
  BOOST_TEST(near(run.trials[0].usd_full.value(), 1));
}
