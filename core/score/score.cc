// SPDX-License-Identifier: Apache-2.0
#include "score/score.h"

#include <algorithm>

#include "score/abstention.h"
#include "score/metrics.h"
#include "score/normalize.h"
#include "score/unsupported.h"

namespace promptsweep {
namespace {

// For an answer of which normalisation leaves nothing. A gold of which nothing is left either ("A",
// "The The") must not match an empty answer or other articles, and the same words must match it.
bool equals_bare_gold(const Item& item, std::string_view answer) {
  const std::string form = bare_normalize(answer);
  if (form.empty()) return false;
  const auto equals = [&](const std::string& gold) { return bare_normalize(gold) == form; };
  return std::any_of(item.answers.begin(), item.answers.end(), equals) ||
         std::any_of(item.human_answers.begin(), item.human_answers.end(), equals);
}

MatchScore match_answer(const Item& item, std::string_view answer) {
  if (!normalize_for(item.metric, answer).empty()) return official_match(item, answer);
  return equals_bare_gold(item, answer) ? MatchScore{1, 1} : MatchScore{};
}

}  // namespace

Score score_answer(const Item& item, std::string_view answer, const ScoringRules& rules) {
  Score score;
  score.abstained = is_abstention(answer, rules.abstention_phrases);
  // NQ-open defines no F1; with a passage every metric has one.
  const bool has_f1 = item.metric != Metric::nq_open || item.type == TaskType::open_book;
  if (item.is_unanswerable) {
    // The right answer is none: abstaining is exactly right, anything else is a false answer.
    score.em = score.abstained ? 1 : 0;
    if (has_f1) score.f1 = score.em;
    score.false_answer = score.abstained ? 0 : 1;
  } else {
    const MatchScore match = match_answer(item, answer);
    score.em = match.em;
    if (has_f1) score.f1 = match.f1;
  }
  if (item.type == TaskType::open_book && !score.abstained) {
    score.unsupported = is_supported(answer, item.context, rules.unsupported) ? 0 : 1;
  }
  return score;
}

}  // namespace promptsweep
