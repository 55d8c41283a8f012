// SPDX-License-Identifier: Apache-2.0
// Tokens and prices to money. A figure that is not known is absent, never 0, and says why.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "records/plan.h"
#include "records/request.h"

namespace promptsweep {

// US dollars per million tokens.
struct TokenPrice {
  double input_per_mtok = 0;
  double output_per_mtok = 0;
  // Explicit batch rates win over the multiplier.
  std::optional<double> input_per_mtok_batch, output_per_mtok_batch;
  // What a batch rate is as a share of the standard rate: 0.5 halves it, 1 is no discount.
  std::optional<double> batch_multiplier;
};

// What is known of an engine's price. Without `price`, `reason` says why in words: a local engine
// has no price per token, or none is configured for this model.
struct PriceQuote {
  std::optional<TokenPrice> price;
  std::string reason;
  std::string source;  // where the price stands: "pricing.providers.fireworks.gpt-oss-120b"
  bool batch = false;  // the requests went through a batch service
};

// What one arm used. Rows from the response cache were not paid for: they are counted apart and
// their tokens are not in the sums.
struct ArmUsage {
  std::string arm_id;
  std::int64_t rows = 0;  // answers of the engine, cached ones left out
  std::int64_t cached_rows = 0;
  // Of the cached rows: what the engine counted when it gave them, to a run before.
  std::int64_t reused_prompt_tokens = 0, reused_completion_tokens = 0;
  std::int64_t rows_without_counts = 0;  // the engine gave no token counts
  std::int64_t extra_attempts = 0;       // sent more than once: possibly paid more than once
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;

  // `earlier_attempts`: failed results of the same request before this one.
  void add(const ResultRow& row, int earlier_attempts = 0);
  bool operator==(const ArmUsage&) const = default;
};

struct ArmCost {
  std::string arm_id;
  ArmUsage usage;
  std::optional<double> input_rate_per_mtok, output_rate_per_mtok;  // as applied
  std::string rate_type;  // standard, batch, batch_multiplier; empty: no price
  std::string price_source;
  std::optional<double> usd;
  std::string reason;        // why usd is absent; empty when it is known
  bool lower_bound = false;  // some rows came without token counts, or were sent more than once
};

ArmCost price_arm(const ArmUsage& usage, const PriceQuote& quote);

// One arm as one trial sees it.
struct TrialArmCost {
  std::string arm_id;
  Condition condition = Condition::control;
  double temperature = 0;
  int shared_by = 1;  // trials of the run that contain the arm
  std::optional<double> usd_full;
  std::optional<double> usd_share;  // usd_full / shared_by
  std::int64_t extra_attempts = 0;  // of the arm's requests, beyond the first of each
  std::int64_t cached_rows = 0;     // answers taken from earlier runs
};

struct TrialCost {
  std::string slug;
  std::vector<TrialArmCost> arms;
  // What the trial would have cost alone, and its part of the run's total. Absent when the figure
  // of any of its arms is absent.
  std::optional<double> usd_full, usd_share;
  bool lower_bound = false;
  std::string reason;  // why absent
};

struct RunCost {
  std::vector<ArmCost> arms;            // each arm of the run once
  std::vector<TrialCost> trials;        // superseded ones too: their cost stays in the total
  std::optional<double> usd_total;      // of all arms; absent when none has a price
  std::int64_t arms_without_price = 0;  // left out of usd_total
  bool lower_bound = false;
};

// Arms that `usage` lacks have not run yet and cost nothing so far. `quotes` is by engine id; an
// engine without one has no known price.
RunCost run_cost(const RunPlan& plan, const std::vector<ArmUsage>& usage,
                 const std::map<std::string, PriceQuote>& quotes);

}  // namespace promptsweep
