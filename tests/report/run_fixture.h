// SPDX-License-Identifier: Apache-2.0
// A small run: one trial with an effect on abstention, one without, one superseded.
#pragma once

#include "analysis/trial_fixture.h"

namespace report_test {

using namespace analysis_test;

// 40 closed-book and 40 open-book questions, half of the latter unanswerable. The treatment of
// `cautious` refuses 20 of the 40 closed-book questions and every unanswerable one.
inline TrialData some_trial(const std::string& slug, bool cautious) {
  std::vector<Question> asked = questions("nq", 40);
  for (Question q : questions("squad", 40, TaskType::open_book)) {
    q.is_unanswerable = asked.size() < 60;
    asked.push_back(q);
  }
  std::vector<Answer> control = first_right(80, 10), treatment = control;
  for (std::size_t i = 40; i < 80; ++i) {
    control[i].f1 = treatment[i].f1 = 0.25;
    control[i].unsupported = treatment[i].unsupported = 0;
  }
  if (cautious) {
    for (std::size_t i = 20; i < 60; ++i) {
      treatment[i] = {i >= 40 ? 1.0 : 0.0, true, Outcome::ok, std::nullopt, std::nullopt};
    }
  }
  control[5].outcome = Outcome::error_request;
  treatment[6].outcome = Outcome::truncated;
  return trial(slug, arm("control", Condition::control, asked, control),
               arm("treatment", Condition::treatment, asked, treatment));
}

inline RunFindings some_run() {
  const AnalysisOptions options = quick_options();
  std::vector<TrialFindings> trials{analyze_trial(some_trial("cautious", true), options),
                                    analyze_trial(some_trial("same", false), options)};
  TrialData old = some_trial("old", true);
  old.trial.superseded = true;
  trials.push_back(analyze_trial(old, options));
  trials[1].complete = false;
  trials[1].temperatures[0].complete = false;
  return correct_over_sweep(std::move(trials), options);
}

}  // namespace report_test
