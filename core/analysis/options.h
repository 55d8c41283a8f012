// SPDX-License-Identifier: Apache-2.0
// How a run is analysed. Plain values: the configuration fills them in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace promptsweep {

// What the primary analysis does with answers that are truncated, empty or filtered. The other
// choice is always computed beside it, since a treatment can cause such answers.
enum class BehaviourOutcomes { exclude, score_as_wrong };
constexpr std::string_view to_string(BehaviourOutcomes choice) {
  return choice == BehaviourOutcomes::exclude ? "exclude" : "score_as_wrong";
}

struct AnalysisOptions {
  int bootstrap_samples = 5000;
  int permutation_samples = 5000;
  std::uint64_t random_seed = 1337;
  bool enable_permutation = true;
  bool enable_fdr = true;  // false: p-values stay uncorrected, q is absent
  double conf_level = 0.95;
  double alpha = 0.05;  // of the verdicts
  double tost_alpha = 0.05;
  std::map<std::string, double> tost_margins{{"em", 0.01}, {"f1", 0.01}};  // by metric name
  BehaviourOutcomes behaviour_outcomes = BehaviourOutcomes::exclude;
  // The metrics whose p-values form the family that is corrected over the sweep. The others carry
  // their p-value without a q-value.
  std::vector<std::string> primary_metrics{"em", "abstain_rate", "false_answer_rate"};
};

}  // namespace promptsweep
