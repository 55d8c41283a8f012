// SPDX-License-Identifier: Apache-2.0
#include "analysis/caveats.h"

#include <cmath>
#include <set>

#include "records/plan.h"

namespace promptsweep {
namespace {

constexpr double low_pairing_rate = 0.9;
constexpr std::int64_t few_pairs = 30;

using Caveats = std::vector<Caveat>;

std::string place(const TemperatureFindings& at) {
  return "temperature " + format_number(at.temperature);
}
std::string place(const TemperatureFindings& at, const BlockFindings& block) {
  return place(at) + ", " + std::string(to_string(block.type)) + "-book";
}

std::int64_t total(const std::vector<std::pair<Outcome, std::int64_t>>& counts,
                   bool (*keep)(Outcome)) {
  std::int64_t out = 0;
  for (const auto& [outcome, count] : counts) {
    if (keep(outcome)) out += count;
  }
  return out;
}

// Whole per cent, rounded down, so that 99.9 % of the items never reads as all of them.
std::string percent(double share) {
  return std::to_string(static_cast<int>(std::floor(share * 100))) + " %";
}

void of_block(Caveats& out, const TrialFindings& trial, const TemperatureFindings& at,
              const BlockFindings& block) {
  const AttritionFinding& a = block.attrition;
  if (at.control_arm_id.empty() || at.treatment_arm_id.empty()) return;
  if (a.n_items > 0 && a.pairing_rate < low_pairing_rate) {
    out.push_back({"low_pairing", place(at, block) + ": only " + percent(a.pairing_rate) +
                                      " of the items have a scored answer in both arms."});
  }
  if (a.p <= trial.options.alpha) {
    out.push_back({"unequal_attrition",
                   place(at, block) + ": items without a scored answer differ between the arms (" +
                       std::to_string(a.only_control_missing) + " in the control only, " +
                       std::to_string(a.only_treatment_missing) +
                       " in the treatment only); the paired items may not be a fair sample."});
  }
  if (block.behaviour_matters) {
    const std::string counts =
        std::to_string(total(a.control_requests, is_behaviour)) + " control and " +
        std::to_string(total(a.treatment_requests, is_behaviour)) + " treatment answers";
    out.push_back({"behaviour_outcomes",
                   place(at, block) + ": " + counts + " were truncated, empty or filtered; " +
                       (trial.options.behaviour_outcomes == BehaviourOutcomes::exclude
                            ? "the main table leaves them out, the one beside it scores them as "
                              "wrong."
                            : "the main table scores them as wrong, the one beside it leaves "
                              "them out.")});
  }
  if (block.n_pairs > 0 && block.n_pairs < few_pairs) {
    out.push_back({"few_pairs", place(at, block) + ": " + std::to_string(block.n_pairs) +
                                    " pairs; intervals from so few items are rough."});
  }
}

void of_temperature(Caveats& out, const TrialFindings& trial, const TemperatureFindings& at) {
  if (!at.complete) {
    out.push_back({"incomplete", place(at) + ": not every request has an accepted result yet; "
                                             "all numbers are preliminary."});
  }
  if (at.control_arm_id.empty() || at.treatment_arm_id.empty()) {
    out.push_back({"one_condition", place(at) + ": only one condition was run, so nothing is "
                                                "compared."});
  } else if (at.control_identity != at.treatment_identity && !at.control_identity.empty() &&
             !at.treatment_identity.empty()) {
    out.push_back({"engine_differs",
                   place(at) + ": the engine described itself differently for the two arms; a "
                               "difference may be the engine's."});
  }
  for (const BlockFindings& block : at.blocks) of_block(out, trial, at, block);
  if (at.samples_per_item > 1) {
    out.push_back({"several_samples",
                   place(at) + ": " + std::to_string(at.samples_per_item) +
                       " samples an item; what is paired is each item's mean over its scored "
                       "samples, tested with Wilcoxon's signed ranks. The paired table counts an "
                       "item as correct at a mean of 0.5 or more."});
  }
  if (at.temperature > 0 && trial.seed_not_honoured > 0) {
    out.push_back(
        {"seed_not_honoured", place(at) + ": the engine did not honour the seed of " +
                                  std::to_string(trial.seed_not_honoured) +
                                  " answers of this trial; they cannot be made again exactly."});
  }
}

}  // namespace

std::vector<Caveat> caveats_of(const TrialFindings& trial) {
  Caveats out;
  bool credits_abstention = false, has_unsupported = false;
  if (is_dry_run(trial.run_id)) {
    out.push_back({"dry_run",
                   "This was a dry run: no engine was asked, the answers are made up and no number "
                   "here measures anything."});
  }
  for (const TemperatureFindings& at : trial.temperatures) {
    of_temperature(out, trial, at);
    for (const BlockFindings& block : at.blocks) {
      credits_abstention = credits_abstention || block.n_unanswerable > 0;
      const MetricFinding* unsupported = block.find("unsupported_rate");
      has_unsupported = has_unsupported || (unsupported != nullptr && unsupported->n_pairs > 0);
    }
  }
  if (credits_abstention) {
    out.push_back({"em_credits_abstention",
                   "Open-book exact match counts a refusal of an unanswerable question as right; "
                   "the row for answerable questions leaves those questions out."});
  }
  if (has_unsupported) {
    out.push_back({"unsupported_is_conditional",
                   "The unsupported rate is over questions that both arms answered, so a change in "
                   "abstention changes which questions it is about."});
  }
  return out;
}

}  // namespace promptsweep
