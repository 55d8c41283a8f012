// SPDX-License-Identifier: Apache-2.0
#include "score/score.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep;

namespace {

ScoringRules rules() { return {{"I don't know"}, {}, 0.5}; }

Item squad_item() {
  Item item;
  item.dataset = "squad";
  item.id = "q";
  item.type = TaskType::open_book;
  item.metric = Metric::squad_v2;
  item.context = "Normandy is a region in France.";
  item.answers = {"France", "in France"};
  return item;
}

Item unanswerable_item() {
  Item item = squad_item();
  item.answers.clear();
  item.is_unanswerable = true;
  return item;
}

Item closed_item(Metric metric, std::vector<std::string> answers) {
  Item item;
  item.dataset = "closed";
  item.id = "q";
  item.metric = metric;
  item.answers = std::move(answers);
  return item;
}

Score scored(const Item& item, std::string_view answer) {
  return score_answer(item, answer, rules());
}

const std::vector<Metric> metrics{Metric::squad_v2, Metric::squad_v1, Metric::triviaqa,
                                  Metric::nq_open};

}  // namespace

BOOST_AUTO_TEST_SUITE(scores)

// D1: an obedient refusal of an unanswerable question scored em 0, false_answer 1, unsupported 1.
BOOST_AUTO_TEST_CASE(d1_abstaining_on_an_unanswerable_question_is_right) {
  for (const char* refusal : {"I don't know", "I don\u2019t know.", "\"i don't know\""}) {
    const Score score = scored(unanswerable_item(), refusal);
    BOOST_TEST(score.abstained);
    BOOST_TEST(score.em == 1);
    BOOST_TEST(score.f1.value() == 1);
    BOOST_TEST(score.false_answer.value() == 0);
    BOOST_TEST(!score.unsupported);
  }
}

BOOST_AUTO_TEST_CASE(answering_an_unanswerable_question_is_wrong) {
  const Score supported = scored(unanswerable_item(), "France");
  BOOST_TEST(!supported.abstained);
  BOOST_TEST(supported.em == 0);
  BOOST_TEST(supported.f1.value() == 0);
  BOOST_TEST(supported.false_answer.value() == 1);
  BOOST_TEST(supported.unsupported.value() == 0);
  const Score unsupported = scored(unanswerable_item(), "I don't know. Paris?");
  BOOST_TEST(!unsupported.abstained);
  BOOST_TEST(unsupported.false_answer.value() == 1);
  BOOST_TEST(unsupported.unsupported.value() == 1);
}

// D11: with a value of 0 on answerable items the rate was halved.
BOOST_AUTO_TEST_CASE(d11_an_answerable_question_has_no_false_answer) {
  for (const char* answer : {"France", "Paris", "I don't know", ""}) {
    BOOST_TEST(!scored(squad_item(), answer).false_answer, answer);
    for (Metric metric : metrics) {
      BOOST_TEST(!scored(closed_item(metric, {"France"}), answer).false_answer, answer);
    }
  }
  // The mean over items that have the measure: every unanswerable one answered is 100 %.
  const ItemScore answerable = mean_over_samples(squad_item(), {scored(squad_item(), "France")});
  const ItemScore other =
      mean_over_samples(unanswerable_item(), {scored(unanswerable_item(), "France")});
  BOOST_TEST(!answerable.false_answer_rate);
  BOOST_TEST(other.false_answer_rate.value() == 1);
}

BOOST_AUTO_TEST_CASE(an_answerable_open_book_question) {
  const Score right = scored(squad_item(), "The France!");
  BOOST_TEST(right.em == 1);
  BOOST_TEST(right.f1.value() == 1);
  BOOST_TEST(!right.abstained);
  BOOST_TEST(right.unsupported.value() == 0);
  const Score part = scored(squad_item(), "France or Spain");
  BOOST_TEST(part.em == 0);
  BOOST_TEST(part.f1.value() == 0.5);
  BOOST_TEST(part.unsupported.value() == 1);
  const Score refusal = scored(squad_item(), "I don't know");
  BOOST_TEST(refusal.abstained);
  BOOST_TEST(refusal.em == 0);
  BOOST_TEST(refusal.f1.value() == 0);
  BOOST_TEST(!refusal.unsupported);
}

BOOST_AUTO_TEST_CASE(an_abstention_that_is_the_gold_answer_is_right) {
  Item item = squad_item();
  item.answers = {"I don't know"};  // what did he say?
  const Score score = scored(item, "I don't know.");
  BOOST_TEST(score.abstained);
  BOOST_TEST(score.em == 1);
}

BOOST_AUTO_TEST_CASE(closed_book_measures_by_metric) {
  const Score trivia = scored(closed_item(Metric::triviaqa, {"Rock'n'Roll"}), "rock n");
  BOOST_TEST(trivia.em == 0);
  BOOST_TEST(trivia.f1.value() == 0.8, boost::test_tools::tolerance(1e-15));
  BOOST_TEST(!trivia.unsupported);
  const Score nq = scored(closed_item(Metric::nq_open, {"Beyonc\u00e9"}), "beyonce\u0301");
  BOOST_TEST(nq.em == 1);
  BOOST_TEST(!nq.f1);
  BOOST_TEST(!nq.unsupported);
  Item open_nq = closed_item(Metric::nq_open, {"New York"});
  open_nq.type = TaskType::open_book;
  BOOST_TEST(scored(open_nq, "New York City").f1.value() == 0.8,
             boost::test_tools::tolerance(1e-15));
  for (Metric metric : metrics) {
    const Score refusal = scored(closed_item(metric, {"x"}), "I don't know");
    BOOST_TEST(refusal.abstained);
    BOOST_TEST(refusal.em == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_closed_book_question_without_an_answer) {
  Item item = closed_item(Metric::nq_open, {});
  item.is_unanswerable = true;
  BOOST_TEST(scored(item, "I don't know").em == 1);
  BOOST_TEST(scored(item, "I don't know").false_answer.value() == 0);
  BOOST_TEST(!scored(item, "I don't know").f1);
  BOOST_TEST(scored(item, "Paris").false_answer.value() == 1);
}

// D8: an empty answer scored 1 where no gold was left after normalisation.
BOOST_AUTO_TEST_CASE(d8_an_empty_answer_matches_no_gold) {
  for (Metric metric : metrics) {
    for (const std::vector<std::string>& gold : std::vector<std::vector<std::string>>{
             {}, {""}, {"A"}, {"The The"}, {"!!!"}, {"the", "The Who"}, {"\u037e"}}) {
      Item item = closed_item(metric, gold);
      if (metric == Metric::triviaqa) item.human_answers = gold;
      for (const char* empty : {"", " \n", "\u3000"}) {
        const Score score = scored(item, empty);
        BOOST_TEST(score.em == 0, to_string(metric) << " " << gold.size());
        BOOST_TEST(score.f1.value_or(0) == 0, to_string(metric) << " " << gold.size());
      }
    }
  }
}

// D8: and what normalises to nothing matches only the same words.
BOOST_AUTO_TEST_CASE(d8_a_gold_of_articles_matches_itself_alone) {
  for (Metric metric : metrics) {
    const Item band = closed_item(metric, {"The The"});
    const Item letter = closed_item(metric, {"A"});
    const Item sign = closed_item(metric, {"!!!"});
    BOOST_TEST(scored(band, "the the.").em == 1);
    BOOST_TEST(scored(letter, "A").em == 1);
    BOOST_TEST(scored(sign, " !!! ").em == 1);
    BOOST_TEST(scored(band, "The").em == 0);
    BOOST_TEST(scored(band, "A").em == 0);
    BOOST_TEST(scored(letter, "The").em == 0);
    BOOST_TEST(scored(letter, "...").em == 0);
    BOOST_TEST(scored(sign, "?").em == 0);
    BOOST_TEST(scored(sign, "a").em == 0);
  }
  // TriviaQA's aliases are normalised already, and nothing may be left of one.
  Item item = closed_item(Metric::triviaqa, {"The The"});
  item.normalized_aliases = {""};
  BOOST_TEST(scored(item, "the").em == 0);
  BOOST_TEST(scored(item, "The The").em == 1);
}

// D43: a strange id is no reason to score differently.
BOOST_AUTO_TEST_CASE(d43_an_id_with_bars_is_scored) {
  Item item = squad_item();
  item.id = "a|b";
  BOOST_TEST(scored(item, "France").em == 1);
  BOOST_TEST(mean_over_samples(item, {scored(item, "France")}).item_key == "squad|a%7Cb");
}

// D13: the rule decides what is unsupported; abstentions have no such value under any rule.
BOOST_AUTO_TEST_CASE(d13_the_rule_reaches_the_score) {
  ScoringRules strict = rules(), lenient = rules();
  strict.unsupported = {UnsupportedRule::Strategy::overlap, 1.0};
  lenient.unsupported = {UnsupportedRule::Strategy::overlap, 0.5};
  BOOST_TEST(score_answer(squad_item(), "France Spain", strict).unsupported.value() == 1);
  BOOST_TEST(score_answer(squad_item(), "France Spain", lenient).unsupported.value() == 0);
  BOOST_TEST(score_answer(squad_item(), "", lenient).unsupported.value() == 1);
  for (const ScoringRules& one : {strict, lenient}) {
    BOOST_TEST(!score_answer(squad_item(), "I don't know", one).unsupported);
  }
}

BOOST_AUTO_TEST_SUITE_END()
