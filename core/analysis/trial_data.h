// SPDX-License-Identifier: Apache-2.0
// What analysis reads of a trial: plain data, so that it can be made in a test as well as loaded
// from stores.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/options.h"
#include "base/result.h"
#include "cost/pricing.h"
#include "records/item.h"
#include "records/plan.h"
#include "records/score.h"
#include "store/exports.h"

namespace promptsweep {

// What became of one item's samples in one arm. Outcome::missing counts expected requests without
// an accepted result.
struct ItemTally {
  std::string item_key;
  TaskType type = TaskType::closed_book;
  std::string dataset;
  bool is_unanswerable = false;
  std::vector<std::pair<Outcome, int>> outcomes;  // non-zero only, in the order of Outcome
};

struct ArmData {
  ArmSpec spec;
  bool complete = false;
  std::string engine_identity;  // JSON as the engine gave it; empty: not known
  // The per-item means of the primary analysis, and those with behaviour outcomes the other way.
  std::vector<ItemScore> scores, scores_other;
  std::vector<ItemTally> items;  // every item that the arm expects, in item order
  ArmUsage usage;
  std::int64_t seed_honoured = 0, seed_not_honoured = 0;  // answers that said so
};

struct PairData {
  double temperature = 0;
  // Absent: not part of the plan (a run of one condition).
  std::shared_ptr<const ArmData> control, treatment;
};

struct TrialData {
  std::string run_id;
  TrialSpec trial;
  std::string isolation, options_json;  // of the engine
  std::string order;                    // interleaved or blocked
  std::string items_sha256;
  std::vector<PairData> pairs;  // by temperature
};

// Reads trials from a run's stores; an arm that several trials share is read once. An arm without
// a store yet is an empty, incomplete arm. Not thread-safe. Keeps references to its arguments.
class TrialLoader {
 public:
  // `plan`: the run's own (RunStore::plan()), superseded trials included.
  // Unscored::leave_out reads runs whose scoring was cut off as well.
  TrialLoader(class RunStore& run, const RunPlan& plan, const AnalysisOptions& options,
              Unscored unscored = Unscored::is_an_error);
  ~TrialLoader();

  Result<TrialData> load(const TrialSpec& trial);
  Result<std::shared_ptr<const ArmData>> load_arm(const ArmSpec& arm);
  // The usage of every arm of the plan that has a store: what run_cost needs.
  Result<std::vector<ArmUsage>> usage();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace promptsweep
