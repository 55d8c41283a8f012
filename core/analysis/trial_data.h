// SPDX-License-Identifier: Apache-2.0
// What analysis reads of a trial: plain data, so that it can be made in a test as well as loaded
// from stores.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/options.h"
#include "base/result.h"
#include "cost/pricing.h"
#include "records/item.h"
#include "records/outcome.h"
#include "records/plan.h"
#include "records/score.h"

namespace promptsweep {

// The items of a run by position, as far as analysis tells them apart; arms of one plan share it.
struct ItemTable {
  struct Entry {
    std::uint16_t dataset = 0;  // into `datasets`
    bool is_open_book = false, is_unanswerable = false;

    TaskType type() const { return is_open_book ? TaskType::open_book : TaskType::closed_book; }
  };
  std::vector<std::string> datasets;
  std::vector<Entry> items;
  // The first 64 bits of the SHA-256 of each item's key; only where loaded for a comparison.
  std::vector<std::uint64_t> keys;
};

// The samples of one item in one arm that count in one analysis, as sums: 24 bytes.
struct ItemSums {
  double f1 = 0;  // the mean over f1_measured samples
  std::uint16_t samples = 0, em = 0, abstained = 0, f1_measured = 0;
  std::uint16_t false_answers = 0, false_answers_measured = 0;
  std::uint16_t unsupported = 0, unsupported_measured = 0;

  // Code::data where a measure that is 0 or 1 by definition is something else.
  static Result<ItemSums> of(const std::vector<Score>& scores);
  bool scored() const { return samples > 0; }
};

// One item in one arm: 56 bytes.
struct ItemCell {
  // The primary analysis, and the one with behaviour outcomes the other way.
  ItemSums primary, other;
  std::uint16_t expected = 0;    // samples; 0: the arm does not ask this item
  Outcome reason = Outcome::ok;  // the first outcome of a sample, in their order, that is not ok
};

using OutcomeCounts = std::map<Outcome, std::int64_t>;

struct ArmData {
  ArmSpec spec;
  bool complete = false;
  std::string engine_identity;             // JSON as the engine gave it; empty: not known
  std::shared_ptr<const ItemTable> items;  // absent: the arm has no store yet
  std::vector<ItemCell> cells;             // by position in `items`
  // Requests by outcome, for each kind of item that the arm asks. Outcome::missing counts expected
  // requests without an accepted result.
  std::map<std::pair<TaskType, std::uint16_t>, OutcomeCounts> requests;
  ArmUsage usage;
  std::int64_t seed_honoured = 0, seed_not_honoured = 0;  // answers that said so

  // One more sample of the item. REQUIRES: `items` and `cells` are there.
  void add_sample(std::size_t position, Outcome outcome);
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

// A comparison of runs reads also those whose scoring was cut off, and needs the items' keys.
enum class LoadFor { report, comparison };

// Reads trials from a run's stores. An arm that several trials share is read once and let go with
// the last of them, trials being loaded in the plan's order. An arm without a store yet is an
// empty, incomplete arm. Not thread-safe. Keeps references to its arguments.
class TrialLoader {
 public:
  // `plan`: the run's own (RunStore::plan()), superseded trials included.
  TrialLoader(class RunStore& run, const RunPlan& plan, const AnalysisOptions& options,
              LoadFor purpose = LoadFor::report);
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
