// SPDX-License-Identifier: Apache-2.0
// Recomputes what the stores of a run hold: responses by their digests, requests by rendering them
// again, scores by scoring again, recorded files by hashing. Writes nothing. It is here and not in
// analysis/verify because it renders and scores.
//
// What cannot be read is a difference too: a damaged store must not hide what is wrong elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "records/difference.h"
#include "records/item_source.h"
#include "records/plan.h"
#include "score/score.h"
#include "store/run_store.h"

namespace promptsweep {

struct VerifyCounts {
  std::int64_t stores = 0;
  std::int64_t responses = 0;       // compared with their digests
  std::int64_t requests = 0;        // rendered again
  std::int64_t scores = 0;          // scored again
  std::int64_t recorded_files = 0;  // hashed and compared with the phase records
};

struct VerifyRules {
  const ScoringRules* scoring = nullptr;  // null: no results were made, scores are left alone
  // The run says that it is complete: scores that were made from other answers are a difference,
  // not just older than them.
  bool must_be_current = false;
};

// `items`: what the arm was planned with; null: they cannot be read, and what needs them is left
// out.
void verify_arm(RunStore& run, const RunPlan& plan, const ArmSpec& arm, const ItemSource* items,
                const VerifyRules& rules, VerifyCounts& counts, const DifferenceSink& found);

// Every file that a phase recorded is the file that lies there.
void verify_recorded_files(RunStore& run, VerifyCounts& counts, const DifferenceSink& found);

}  // namespace promptsweep
