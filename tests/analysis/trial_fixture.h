// SPDX-License-Identifier: Apache-2.0
// Small trials as plain data.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/analyze.h"
#include "base/digest.h"

namespace analysis_test {

using namespace promptsweep;

// What one arm said to one item.
struct Answer {
  double em = 0;
  bool abstained = false;
  Outcome outcome = Outcome::ok;
  std::optional<double> f1 = std::nullopt;
  std::optional<double> unsupported = std::nullopt;
};

struct Question {
  std::string dataset, id;
  TaskType type = TaskType::closed_book;
  bool is_unanswerable = false;
  std::string key() const { return dataset + "|" + id; }
};

inline Score score_of(const Question& question, const Answer& answer) {
  Score out;
  const bool counts = answer.outcome == Outcome::ok;
  out.em = counts ? answer.em : 0;
  out.abstained = counts && answer.abstained;
  out.f1 = counts ? answer.f1 : std::nullopt;
  out.unsupported = counts ? answer.unsupported : std::nullopt;
  if (question.is_unanswerable) out.false_answer = counts && answer.abstained ? 0 : 1;
  return out;
}

inline std::shared_ptr<const ItemTable> table_of(const std::vector<Question>& questions) {
  auto out = std::make_shared<ItemTable>();
  for (const Question& q : questions) {
    auto name = std::find(out->datasets.begin(), out->datasets.end(), q.dataset);
    const auto number = static_cast<std::uint16_t>(name - out->datasets.begin());
    if (name == out->datasets.end()) out->datasets.push_back(q.dataset);
    out->keys.push_back(content_seed(q.key()));
    out->items.push_back({number, q.type == TaskType::open_book, q.is_unanswerable});
  }
  return out;
}

// answers[i] is to questions[i]; behaviour outcomes are left out of the primary analysis.
inline std::shared_ptr<ArmData> arm(const std::string& id, Condition condition,
                                    const std::vector<Question>& questions,
                                    const std::vector<Answer>& answers) {
  auto out = std::make_shared<ArmData>();
  out->spec.arm_id = id;
  out->spec.condition = condition;
  out->spec.system_prompt = condition == Condition::control ? "Answer." : "Answer or refuse.";
  out->spec.system_prompt_path = "prompts/" + id + ".txt";
  out->spec.system_prompt_sha256 = std::string(64, id[0]);
  out->complete = true;
  out->engine_identity = R"({"engine":"test"})";
  out->usage.arm_id = id;
  out->items = table_of(questions);
  out->cells.resize(questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    out->add_sample(i, answers[i].outcome);
    const ItemSums sums = ItemSums::of({score_of(questions[i], answers[i])}).value();
    if (answers[i].outcome == Outcome::ok) out->cells[i].primary = sums;
    if (!is_missing_data(answers[i].outcome)) out->cells[i].other = sums;
    ++out->usage.rows;
    out->usage.prompt_tokens += 50;
    out->usage.completion_tokens += 5;
  }
  return out;
}

inline TrialData trial(const std::string& slug, std::shared_ptr<const ArmData> control,
                       std::shared_ptr<const ArmData> treatment, double temperature = 0) {
  TrialData out;
  out.run_id = "r1";
  out.trial.slug = slug;
  out.trial.model = "toy";
  out.trial.model_alias = "toy";
  out.trial.backend = "echo";
  out.trial.prompt_set = "set_" + slug;
  out.order = "interleaved";
  out.items_sha256 = std::string(64, 'a');
  out.pairs.push_back({temperature, std::move(control), std::move(treatment)});
  return out;
}

inline std::vector<Question> questions(const std::string& dataset, int count,
                                       TaskType type = TaskType::closed_book) {
  std::vector<Question> out;
  for (int i = 0; i < count; ++i) out.push_back({dataset, "q" + std::to_string(i), type, false});
  return out;
}

// The first `right` answers are right.
inline std::vector<Answer> first_right(int count, int right) {
  std::vector<Answer> out(static_cast<std::size_t>(count));
  for (int i = 0; i < right; ++i) out[static_cast<std::size_t>(i)].em = 1;
  return out;
}

inline AnalysisOptions quick_options() {
  AnalysisOptions out;
  out.bootstrap_samples = 400;
  out.permutation_samples = 400;
  return out;
}

}  // namespace analysis_test
