// SPDX-License-Identifier: Apache-2.0
#include "score/metrics.h"

#include <algorithm>

#include "score/normalize.h"

namespace promptsweep {
namespace {

// Best over golds that are normalised already. `both_empty` is the F1 of two empty sides.
MatchScore best_match(const std::string& answer, const std::vector<std::string>& gold,
                      double both_empty) {
  const std::vector<std::string> words = words_of(answer);
  MatchScore best;
  for (const std::string& one : gold) {
    const std::vector<std::string> gold_words = words_of(one);
    best.em = std::max(best.em, answer == one ? 1.0 : 0.0);
    best.f1 = std::max(
        best.f1, words.empty() && gold_words.empty() ? both_empty : word_f1(words, gold_words));
  }
  return best;
}

std::vector<std::string> normalized(const std::vector<std::string>& texts,
                                    std::string (*normalize)(std::string_view)) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(normalize(text));
  return out;
}

}  // namespace

MatchScore official_match(const Item& item, std::string_view answer) {
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

std::string normalize_for(Metric metric, std::string_view text) {
  switch (metric) {
    case Metric::squad_v2:
    case Metric::squad_v1:
      return squad_normalize(text);
    case Metric::triviaqa:
      return triviaqa_normalize(text);
    case Metric::nq_open:
      return nq_normalize(text);
  }
  return {};
}

MatchScore squad_match(std::string_view answer, const std::vector<std::string>& gold) {
  std::vector<std::string> golds = normalized(gold, &squad_normalize);
  std::erase(golds, "");
  if (golds.empty()) golds.emplace_back();
  return best_match(squad_normalize(answer), golds, 1);
}

MatchScore squad_v1_match(std::string_view answer, const std::vector<std::string>& gold) {
  return best_match(squad_normalize(answer), normalized(gold, &squad_normalize), 0);
}

MatchScore triviaqa_match(std::string_view answer, const Item& item) {
  std::vector<std::string> gold = item.normalized_aliases;
  const bool official = !gold.empty() || !item.human_answers.empty();
  for (const std::string& text :
       normalized(official ? item.human_answers : item.answers, &triviaqa_normalize)) {
    gold.push_back(text);
  }
  return best_match(triviaqa_normalize(answer), gold, 0);
}

MatchScore nq_match(std::string_view answer, const std::vector<std::string>& gold) {
  return best_match(nq_normalize(answer), normalized(gold, &nq_normalize), 0);
}

}  // namespace promptsweep
