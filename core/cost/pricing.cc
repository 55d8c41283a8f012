// SPDX-License-Identifier: Apache-2.0
#include "cost/pricing.h"

#include <algorithm>
#include <set>
#include <utility>

namespace promptsweep {
namespace {

struct Rates {
  double input, output;
  std::string type;
};

Rates rates_of(const PriceQuote& quote) {
  const TokenPrice& price = *quote.price;
  if (!quote.batch) return {price.input_per_mtok, price.output_per_mtok, "standard"};
  if (price.input_per_mtok_batch && price.output_per_mtok_batch) {
    return {*price.input_per_mtok_batch, *price.output_per_mtok_batch, "batch"};
  }
  if (!price.batch_multiplier && !price.input_per_mtok_batch && !price.output_per_mtok_batch) {
    return {price.input_per_mtok, price.output_per_mtok, "standard"};
  }
  const double multiplier = price.batch_multiplier.value_or(1);
  return {price.input_per_mtok_batch.value_or(price.input_per_mtok * multiplier),
          price.output_per_mtok_batch.value_or(price.output_per_mtok * multiplier),
          "batch_multiplier"};
}

// The arms of a trial, each once.
std::vector<TrialArmCost> arms_of(const TrialSpec& trial) {
  std::vector<TrialArmCost> out;
  const auto add = [&](const std::string& arm_id, Condition condition, double temperature) {
    if (arm_id.empty()) return;
    TrialArmCost arm;
    arm.arm_id = arm_id;
    arm.condition = condition;
    arm.temperature = temperature;
    out.push_back(std::move(arm));
  };
  for (const ArmPair& pair : trial.pairs) {
    add(pair.control_arm_id, Condition::control, pair.temperature);
    add(pair.treatment_arm_id, Condition::treatment, pair.temperature);
  }
  return out;
}

TrialCost trial_cost(const TrialSpec& trial, const std::map<std::string, int>& sharers,
                     const std::map<std::string, const ArmCost*>& costs) {
  TrialCost out;
  out.slug = trial.slug;
  out.arms = arms_of(trial);
  out.usd_full = 0;
  out.usd_share = 0;
  for (TrialArmCost& arm : out.arms) {
    arm.shared_by = sharers.at(arm.arm_id);
    const auto found = costs.find(arm.arm_id);
    if (found == costs.end()) continue;
    const ArmCost& cost = *found->second;
    arm.usd_full = cost.usd;
    arm.extra_attempts = cost.usage.extra_attempts;
    arm.cached_rows = cost.usage.cached_rows;
    out.lower_bound = out.lower_bound || cost.lower_bound;
    if (!cost.usd) {
      out.usd_full.reset();
      out.usd_share.reset();
      out.reason = cost.reason;
      continue;
    }
    arm.usd_share = *cost.usd / arm.shared_by;
    if (!out.usd_full) continue;
    *out.usd_full += *arm.usd_full;
    *out.usd_share += *arm.usd_share;
  }
  return out;
}

}  // namespace

void ArmUsage::add(const ResultRow& row, int earlier_attempts) {
  if (row.cached) {
    ++cached_rows;
    reused_prompt_tokens += row.prompt_tokens.value_or(0);
    reused_completion_tokens += row.completion_tokens.value_or(0);
    return;
  }
  ++rows;
  extra_attempts += std::max(0, row.attempts - 1) + earlier_attempts;
  if (!row.prompt_tokens || !row.completion_tokens) ++rows_without_counts;
  prompt_tokens += row.prompt_tokens.value_or(0);
  completion_tokens += row.completion_tokens.value_or(0);
}

ArmCost price_arm(const ArmUsage& usage, const PriceQuote& quote) {
  ArmCost out;
  out.arm_id = usage.arm_id;
  out.usage = usage;
  if (!quote.price) {
    out.reason = quote.reason.empty() ? "no price is known for this engine" : quote.reason;
    return out;
  }
  const Rates rates = rates_of(quote);
  out.input_rate_per_mtok = rates.input;
  out.output_rate_per_mtok = rates.output;
  out.rate_type = rates.type;
  out.price_source = quote.source;
  if (usage.rows > 0 && usage.rows_without_counts == usage.rows) {
    out.reason = "the engine gave no token counts";
    return out;
  }
  out.usd = (static_cast<double>(usage.prompt_tokens) * rates.input +
             static_cast<double>(usage.completion_tokens) * rates.output) /
            1e6;
  out.lower_bound = usage.rows_without_counts > 0 || usage.extra_attempts > 0;
  return out;
}

RunCost run_cost(const RunPlan& plan, const std::vector<ArmUsage>& usage,
                 const std::map<std::string, PriceQuote>& quotes) {
  std::map<std::string, const ArmUsage*> usage_of;
  for (const ArmUsage& arm : usage) usage_of[arm.arm_id] = &arm;

  RunCost out;
  std::set<std::string> counted;
  for (const ArmSpec& arm : plan.arms) {
    if (!counted.insert(arm.arm_id).second) continue;
    ArmUsage used;
    used.arm_id = arm.arm_id;
    if (const auto found = usage_of.find(arm.arm_id); found != usage_of.end()) {
      used = *found->second;
    }
    const auto quote = quotes.find(arm.engine_id);
    out.arms.push_back(price_arm(used, quote == quotes.end() ? PriceQuote{} : quote->second));
  }

  std::map<std::string, const ArmCost*> costs;
  for (const ArmCost& arm : out.arms) {
    costs[arm.arm_id] = &arm;
    out.lower_bound = out.lower_bound || arm.lower_bound;
    if (!arm.usd) {
      ++out.arms_without_price;
    } else {
      out.usd_total = out.usd_total.value_or(0) + *arm.usd;
    }
  }

  std::map<std::string, int> sharers;
  for (const TrialSpec& trial : plan.trials) {
    std::set<std::string> own;
    for (const TrialArmCost& arm : arms_of(trial)) own.insert(arm.arm_id);
    for (const std::string& arm_id : own) ++sharers[arm_id];
  }
  for (const TrialSpec& trial : plan.trials) {
    out.trials.push_back(trial_cost(trial, sharers, costs));
  }
  return out;
}

}  // namespace promptsweep
