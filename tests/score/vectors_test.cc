// SPDX-License-Identifier: Apache-2.0
// The oracle's cases for answers: vectors/squad.json and vectors/scoring/*.json.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "score/metrics.h"
#include "score/normalize.h"
#include "shared_json.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

const auto nearly = boost::test_tools::tolerance(1e-12);

// SQuAD 2.0's F1 with golds that normalise to nothing left in: what the oracle calls f1.
double unfiltered_f1(const std::string& answer, const std::vector<std::string>& golds) {
  const std::vector<std::string> words = words_of(answer);
  double best = 0;
  for (const std::string& one : golds) {
    const std::vector<std::string> gold = words_of(one);
    const bool some_empty = words.empty() || gold.empty();
    best = std::max(
        best, some_empty ? (words.empty() && gold.empty() ? 1.0 : 0.0) : word_f1(words, gold));
  }
  return best;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vectors, *boost::unit_test::precondition(&shared_is_there))

BOOST_AUTO_TEST_CASE(squad) {
  const json file = shared_json("vectors/squad.json");
  std::size_t edges = 0;
  for (const json& one : file["cases"]) {
    BOOST_TEST_CONTEXT(one["id"] << " " << one["note"]) {
      const std::string prediction = one["input"]["prediction"];
      const std::vector<std::string> gold = one["input"]["gold"];
      const json& expected = one["expected"];
      const std::string normalized = squad_normalize(prediction);
      std::vector<std::string> golds;
      for (const std::string& text : gold) golds.push_back(squad_normalize(text));
      BOOST_TEST(normalized == expected["normalized_prediction"].get<std::string>());
      BOOST_TEST(golds == expected["normalized_gold"].get<std::vector<std::string>>(),
                 boost::test_tools::per_element());
      BOOST_TEST(unfiltered_f1(normalized, golds) == expected["f1"].get<double>(), nearly);
      const MatchScore v1 = squad_v1_match(prediction, gold);
      BOOST_TEST(v1.em == expected["em"].get<double>());
      BOOST_TEST(v1.f1 == expected["f1_v11"].get<double>(), nearly);
      const MatchScore v2 = squad_match(prediction, gold);
      BOOST_TEST(v2.em == expected["em_v2_filtered"].get<double>());
      BOOST_TEST(v2.f1 == expected["f1_v2_filtered"].get<double>(), nearly);
      const auto& tags = one["tags"];
      edges += std::find(tags.begin(), tags.end(), "unicode_edge") != tags.end() ? 1 : 0;
    }
  }
  BOOST_TEST(file["cases"].size() >= 60u);
  BOOST_TEST(edges >= 2u);
}

BOOST_AUTO_TEST_CASE(triviaqa) {
  const json file = shared_json("vectors/scoring/triviaqa.json");
  BOOST_TEST(file["cases"].size() >= 20u);
  for (const json& one : file["cases"]) {
    BOOST_TEST_CONTEXT(one["prediction"]) {
      const std::string prediction = one["prediction"];
      Item item;
      item.metric = Metric::triviaqa;
      item.normalized_aliases = one["normalized_aliases"].get<std::vector<std::string>>();
      const MatchScore score = triviaqa_match(prediction, item);
      BOOST_TEST(triviaqa_normalize(prediction) == one["normalized_prediction"].get<std::string>());
      BOOST_TEST(score.em == one["em"].get<double>());
      BOOST_TEST(score.f1 == one["f1"].get<double>(), nearly);
    }
  }
}

BOOST_AUTO_TEST_CASE(nq_open) {
  const json file = shared_json("vectors/scoring/nq_open.json");
  BOOST_TEST(file["cases"].size() >= 20u);
  for (const json& one : file["cases"]) {
    BOOST_TEST_CONTEXT(one["prediction"]) {
      const std::string prediction = one["prediction"];
      const std::vector<std::string> answers = one["answers"];
      const MatchScore score = nq_match(prediction, answers);
      BOOST_TEST(score.em == one["em_nfd"].get<double>());
      BOOST_TEST(score.f1 == one["f1_nfd"].get<double>(), nearly);
      BOOST_TEST(squad_v1_match(prediction, answers).em == one["em_plain"].get<double>());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
