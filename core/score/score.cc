// SPDX-License-Identifier: Apache-2.0
#include "score/score.h"

#include <algorithm>

#include "base/unicode.h"
#include "score/abstention.h"
#include "score/metrics.h"
#include "score/normalize.h"
#include "score/unsupported.h"

namespace promptsweep {
namespace {

// Some golds normalise to nothing ("A", "The The"). They must not match an empty answer, and the
// very same text must: such golds are compared before normalisation.
bool equals_bare_gold(const Item& item, std::string_view answer) {
  const std::string plain = abstention_form(answer);
  return std::any_of(item.answers.begin(), item.answers.end(), [&](const std::string& gold) {
    return squad_normalize(gold).empty() && !plain.empty() && abstention_form(gold) == plain;
  });
}

MatchScore match_answer(const Item& item, std::string_view answer) {
  if (equals_bare_gold(item, answer)) return {1, 1};
  const std::string normalized =
      item.metric == Metric::triviaqa ? triviaqa_normalize(answer) : squad_normalize(answer);
  if (normalized.empty()) return {};
  switch (item.metric) {
    case Metric::squad_v2:
      return squad_match(answer, item.answers);
    case Metric::squad_v1:
      return squad_v1_match(answer, item.answers);
    case Metric::triviaqa:
      return triviaqa_match(answer, item);
    case Metric::nq_open:
      return nq_match(answer, item.answers);
  }
  return {};
}

}  // namespace

Score score_answer(const Item& item, std::string_view answer, const ScoringRules& rules) {
  Score score;
  score.abstained = is_abstention(answer, rules.abstention_phrases);
  const bool has_f1 = item.metric != Metric::nq_open || item.type == TaskType::open_book;
  if (item.is_unanswerable) {
    // The right answer is none: abstaining is exactly right, anything else is a false answer.
    score.em = score.abstained ? 1 : 0;
    score.f1 = score.em;
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
