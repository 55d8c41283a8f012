// SPDX-License-Identifier: Apache-2.0
// Real data sets and real systems' predictions, against what the official scripts print.
#include <boost/test/unit_test.hpp>

#include "dataset/dataset.h"
#include "score/predictions_file.h"
#include "score/score.h"
#include "shared_json.h"
#include "temporary_folder.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

std::vector<Item> items_of(DatasetFormat format, const std::string& name) {
  DatasetSource source;
  source.name = "set";
  source.format = format;
  source.path = shared_file(name);
  Result<DatasetFile> file = read_dataset(source);
  BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().text));
  return all_items(*file->items).value();
}

// The share of items that `answer_of(index)` answers exactly.
template <class AnswerOf>
double exact_share(const std::vector<Item>& items, AnswerOf answer_of) {
  double right = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    right += score_answer(items[i], answer_of(i), {{"I don't know"}, {}, 0.5}).em;
  }
  return right / static_cast<double>(items.size());
}

// Each set's own first gold is right everywhere and the next question's gold almost nowhere.
void check_own_and_foreign_gold(const std::vector<Item>& items) {
  const auto gold = [&](std::size_t i) { return items[i % items.size()].answers.at(0); };
  BOOST_TEST(exact_share(items, gold) == 1);
  BOOST_TEST(exact_share(items, [&](std::size_t i) { return gold(i + 1); }) < 0.02);
  BOOST_TEST(exact_share(items, [](std::size_t) { return ""; }) == 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shared_data, *boost::unit_test::precondition(&shared_is_there))

BOOST_AUTO_TEST_CASE(three_systems_score_as_the_official_script_says) {
  const std::vector<Item> items = items_of(DatasetFormat::squad, "data/squad/dev-v2.0.slice.json");
  BOOST_TEST(items.size() == 412u);
  const json official = shared_json("data/squad/official_scores.json");
  BOOST_TEST(official.size() == 3u);
  for (const auto& [system, expected] : official.items()) {
    BOOST_TEST_CONTEXT(system) {
      const Result<PredictionScores> scores =
          score_predictions(shared_file("data/squad/" + system + ".slice.json"), items);
      BOOST_REQUIRE(scores);
      const json got = json::parse(to_json(*scores, true));
      BOOST_TEST(expected.size() == 9u);
      for (const auto& [name, value] : expected.items()) {
        BOOST_TEST_REQUIRE(got.contains(name), name);
        BOOST_TEST(std::abs(got[name].get<double>() - value.get<double>()) <= 1e-9, name);
      }
      const json per_question = shared_json("data/squad/" + system + ".per_question.json");
      BOOST_TEST(got["per_question"].size() == per_question.size());
      for (const auto& [id, pair] : per_question.items()) {
        BOOST_TEST((got["per_question"][id] == pair), id);
      }
      BOOST_TEST(scores->missing == 0);
      BOOST_TEST(scores->unknown == 0);
    }
  }
}

// The same answers through the sweep's own rules: where a system answers an unanswerable question
// it is a false answer, and EM on answerable ones is the official one.
BOOST_AUTO_TEST_CASE(sweep_scores_agree_on_answerable_questions) {
  const std::vector<Item> items = items_of(DatasetFormat::squad, "data/squad/dev-v2.0.slice.json");
  const json answers = shared_json("data/squad/bert-single.slice.json");
  const json official = shared_json("data/squad/bert-single.per_question.json");
  int answerable = 0, unanswerable = 0, false_answers = 0;
  for (const Item& item : items) {
    const std::string answer = answers[item.id];
    if (answer.empty()) continue;  // an outcome of its own in a sweep
    const Score score = score_answer(item, answer, {{"I don't know"}, {}, 0.5});
    if (item.is_unanswerable) {
      ++unanswerable;
      false_answers += score.false_answer.value() == 1 ? 1 : 0;
      continue;
    }
    ++answerable;
    BOOST_TEST(score.em == official[item.id][0].get<double>(), item.id);
    BOOST_TEST(score.f1.value() == official[item.id][1].get<double>(), item.id);
    BOOST_TEST(score.unsupported.has_value());
  }
  BOOST_TEST(answerable > 150);
  BOOST_TEST(unanswerable > 20);
  BOOST_TEST(false_answers == unanswerable);
}

BOOST_AUTO_TEST_CASE(triviaqa_golds) {
  const std::vector<Item> items =
      items_of(DatasetFormat::triviaqa, "data/triviaqa/triviaqa-1000.json");
  BOOST_TEST(items.size() == 1000u);
  check_own_and_foreign_gold(items);
}

BOOST_AUTO_TEST_CASE(nq_open_golds) {
  const std::vector<Item> items =
      items_of(DatasetFormat::nq_open, "data/nq_open/NQ-open.efficientqa.dev.1.1.jsonl");
  BOOST_TEST(items.size() == 1800u);
  check_own_and_foreign_gold(items);
}

BOOST_AUTO_TEST_SUITE_END()
