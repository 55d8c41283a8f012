// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "score/predictions_file.h"
#include "temporary_folder.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

Item question(Metric metric, const std::string& id, std::vector<std::string> answers) {
  Item item;
  item.dataset = "set";
  item.id = id;
  item.metric = metric;
  item.is_unanswerable = answers.empty();
  item.answers = std::move(answers);
  return item;
}

std::vector<Item> squad_questions(Metric metric) {
  return {question(metric, "a", {"Paris"}), question(metric, "b", {"New York"}),
          question(metric, "c", {"Rome"})};
}

class PredictionsFile {
 public:
  Result<PredictionScores> scored(const std::string& text, const std::vector<Item>& items) {
    std::ofstream(path(), std::ios::binary) << text;
    return score_predictions(path(), items);
  }
  std::string refusal(const std::string& text, const std::vector<Item>& items) {
    const Result<PredictionScores> scores = scored(text, items);
    BOOST_TEST_REQUIRE(!scores, text << " was accepted");
    BOOST_CHECK(scores.error().code == Code::invalid_input);
    return scores.error().text;
  }
  std::filesystem::path path() const { return folder_ / "predictions.json"; }

 private:
  TemporaryFolder folder_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(predictions, PredictionsFile)

BOOST_AUTO_TEST_CASE(squad_2_by_answerable_and_not) {
  std::vector<Item> items = squad_questions(Metric::squad_v2);
  items.push_back(question(Metric::squad_v2, "d", {}));
  items.push_back(question(Metric::squad_v2, "e", {}));
  const PredictionScores scores =
      scored(R"({"a": "paris", "b": "York", "c": "", "d": "", "e": "Rome"})", items).value();
  const auto nearly = boost::test_tools::tolerance(1e-13);
  BOOST_TEST(scores.exact == 40, nearly);
  BOOST_TEST(scores.f1 == 100 * (1 + 2.0 / 3 + 1) / 5, nearly);
  BOOST_TEST(scores.total == 5);
  BOOST_TEST(scores.missing == 0);
  BOOST_TEST(scores.unknown == 0);
  BOOST_TEST(scores.has_answer.value().exact == 100.0 / 3, nearly);
  BOOST_TEST(scores.has_answer->f1 == 100 * (1 + 2.0 / 3) / 3, nearly);
  BOOST_TEST(scores.has_answer->total == 3);
  BOOST_TEST(scores.no_answer.value().exact == 50, nearly);
  BOOST_TEST(scores.no_answer->f1 == 50, nearly);
  BOOST_TEST(scores.no_answer->total == 2);
  const json out = json::parse(to_json(scores, true));
  BOOST_TEST(out["metric"] == "squad_v2");
  BOOST_TEST(out["HasAns_total"] == 3);
  BOOST_TEST(out["NoAns_exact"] == 50.0);
  BOOST_TEST(out["per_question"]["a"] == json::parse("[1.0, 1.0]"));
  BOOST_TEST(out["per_question"].size() == 5u);
  BOOST_TEST(!json::parse(to_json(scores)).contains("per_question"));
}

// No outcomes here: an empty answer says "there is none", and a refusal phrase is an answer.
BOOST_AUTO_TEST_CASE(an_empty_answer_is_an_answer) {
  const std::vector<Item> items{question(Metric::squad_v2, "a", {})};
  BOOST_TEST(scored(R"({"a": ""})", items).value().exact == 100);
  BOOST_TEST(scored(R"({"a": "the"})", items).value().exact == 100);
  BOOST_TEST(scored(R"({"a": "I don't know"})", items).value().exact == 0);
}

BOOST_AUTO_TEST_CASE(a_part_without_questions_is_absent) {
  const PredictionScores scores =
      scored(R"({"a": "Paris", "b": "x", "c": "x"})", squad_questions(Metric::squad_v2)).value();
  BOOST_TEST(scores.has_answer.has_value());
  BOOST_TEST(!scores.no_answer.has_value());
  const json out = json::parse(to_json(scores));
  BOOST_TEST(!out.contains("NoAns_total"));
}

BOOST_AUTO_TEST_CASE(a_missing_prediction_counts_as_in_the_sets_own_script) {
  const std::string one = R"({"a": "Paris", "nobody": "x"})";
  const PredictionScores v2 = scored(one, squad_questions(Metric::squad_v2)).value();
  BOOST_TEST(v2.exact == 100);
  BOOST_TEST(v2.total == 1);
  BOOST_TEST(v2.per_question.size() == 1u);
  for (Metric metric : {Metric::squad_v1, Metric::triviaqa, Metric::nq_open}) {
    const PredictionScores other = scored(one, squad_questions(metric)).value();
    BOOST_TEST(other.exact == 100.0 / 3, boost::test_tools::tolerance(1e-14));
    BOOST_TEST(other.total == 3);
    BOOST_TEST(other.missing == 2);
    BOOST_TEST(other.unknown == 1);
    BOOST_TEST(!other.has_answer.has_value());
  }
  BOOST_TEST(v2.missing == 2);
  BOOST_TEST(v2.unknown == 1);
}

BOOST_AUTO_TEST_CASE(json_lines_say_the_same) {
  const std::vector<Item> items = squad_questions(Metric::triviaqa);
  const std::string object = R"({"a": "Paris", "b": "York", "c": "x"})";
  const std::string lines =
      "{\"id\": \"b\", \"prediction\": \"York\"}\r\n\n"
      "{\"id\": \"a\", \"prediction\": \"Paris\", \"more\": 1}\n"
      "{\"prediction\": \"x\", \"id\": \"c\"}";
  const std::string expected = to_json(scored(object, items).value(), true);
  BOOST_TEST(to_json(scored(lines, items).value(), true) == expected);
  BOOST_TEST(scored("{\"id\": \"a\", \"prediction\": \"Paris\"}", items).value().missing == 2);
}

BOOST_AUTO_TEST_CASE(malformed_files_are_refused_by_line_and_id) {
  const std::vector<Item> items = squad_questions(Metric::squad_v2);
  const auto names = [&](const std::string& text, const std::string& part) {
    const std::string message = refusal(text, items);
    BOOST_TEST(message.find(path().string()) != std::string::npos, message);
    BOOST_TEST(message.find(part) != std::string::npos, message);
  };
  names(R"({"a": 7})", "the prediction of a is no text");
  names(R"({"a": "x", "a": "y"})", "the id a occurs twice");
  names(R"({"a": "x")", "line 1: ");
  names("{\"id\":\"a\",\"prediction\":\"x\"}\nnonsense\n", "line 2: ");
  names("{\"id\":\"a\",\"prediction\":\"x\"}\n{\"id\":\"b\"}\n", "line 2: ");
  names("{\"id\":\"a\",\"prediction\":\"x\"}\n{\"id\":\"a\",\"prediction\":\"y\"}\n",
        "line 2: the id a occurs twice");
  names("{\"id\":\"a\",\"prediction\":null}\n{\"id\":\"b\",\"prediction\":\"y\"}\n",
        "line 1: the prediction of a is no text");
  names("[]", "line 1: ");
  names("{\"a\": \"\xff\"}", "line 1: ");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_scored_is_refused) {
  const Result<PredictionScores> absent =
      score_predictions(path(), squad_questions(Metric::squad_v2));
  BOOST_REQUIRE(!absent);
  BOOST_CHECK(absent.error().code == Code::invalid_input);
  refusal("{}", {});
  refusal("{}", {question(Metric::squad_v2, "a", {"x"}), question(Metric::nq_open, "b", {"x"})});
}

BOOST_AUTO_TEST_CASE(no_prediction_at_all_makes_no_nan) {
  const PredictionScores scores = scored("{}", squad_questions(Metric::squad_v2)).value();
  BOOST_TEST(scores.exact == 0);
  BOOST_TEST(scores.total == 0);
  BOOST_TEST(json::parse(to_json(scores))["f1"] == 0.0);
}

BOOST_AUTO_TEST_CASE(the_text_form_has_every_digit) {
  std::vector<Item> items = squad_questions(Metric::squad_v2);
  items.push_back(question(Metric::squad_v2, "d", {}));
  BOOST_TEST(to_text(scored(R"({"a": "Paris", "b": "x", "d": "", "z": ""})", items).value()) ==
             "metric        squad_v2\n"
             "exact         66.66666666666667\n"
             "f1            66.66666666666667\n"
             "total         3\n"
             "HasAns_exact  50\n"
             "HasAns_f1     50\n"
             "HasAns_total  2\n"
             "NoAns_exact   100\n"
             "NoAns_f1      100\n"
             "NoAns_total   1\n"
             "missing       1 (left out of the totals)\n"
             "unknown       1 (no such question)\n");
  BOOST_TEST(to_text(scored("{}", {question(Metric::nq_open, "a", {"x"})}).value()) ==
             "metric        nq_open\nexact         0\nf1            0\ntotal         1\n"
             "missing       1 (each scored 0)\n");
}

BOOST_AUTO_TEST_SUITE_END()
