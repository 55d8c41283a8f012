// SPDX-License-Identifier: Apache-2.0
#include "score/normalize.h"

#include <boost/test/unit_test.hpp>

#include "score/metrics.h"

using namespace promptsweep;

namespace {

const std::string ascii_punctuation = R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)";

}  // namespace

BOOST_AUTO_TEST_SUITE(normalization)

BOOST_AUTO_TEST_CASE(squad_deletes_the_32_punctuation_characters) {
  BOOST_TEST(ascii_punctuation.size() == 32u);
  for (char c : ascii_punctuation) {
    BOOST_TEST(squad_normalize(std::string("x") + c + "y") == "xy", c);
    BOOST_TEST(triviaqa_normalize(std::string("x") + c + "y") == "x y", c);
  }
  for (const char* kept : {"\u2019", "\u201c", "\u2014", "\u00bf", "\u20ac", "\u00b4"}) {
    BOOST_TEST(squad_normalize(std::string("x") + kept + "y") == std::string("x") + kept + "y");
  }
  for (const char* spaced : {"\u2018", "\u2019", "\u00b4"}) {
    BOOST_TEST(triviaqa_normalize(std::string("x") + spaced + "y") == "x y", spaced);
  }
  BOOST_TEST(triviaqa_normalize("x\u2014y") == "x\u2014y");
}

BOOST_AUTO_TEST_CASE(articles_go_as_whole_words_only) {
  BOOST_TEST(squad_normalize("The theatre, an answer: a cat") == "theatre answer cat");
  BOOST_TEST(squad_normalize("a1 the2 an\u00e9 \u00e9a") == "a1 the2 an\u00e9 \u00e9a");
  BOOST_TEST(squad_normalize("a\u2019s") == "\u2019s");
  BOOST_TEST(squad_normalize("a\u0300 la") == "\u0300 la");
  BOOST_TEST(squad_normalize("a-b the-end") == "ab theend");
  BOOST_TEST(triviaqa_normalize("a-b the_end") == "b end");
}

BOOST_AUTO_TEST_CASE(white_space_of_every_kind_collapses) {
  BOOST_TEST(squad_normalize("\u3000new\u00a0\t\n\u2003york\x1f ") == "new york");
  BOOST_TEST(squad_normalize(" \n") == "");
}

BOOST_AUTO_TEST_CASE(nq_decomposes_first) {
  BOOST_TEST(nq_normalize("Beyonc\u00e9") == "beyonce\u0301");
  BOOST_TEST(nq_normalize("\u037e") == "");  // the Greek question mark decomposes to ';'
  BOOST_TEST(squad_normalize("\u037e") == "\u037e");
}

BOOST_AUTO_TEST_CASE(the_bare_form_keeps_articles_and_lone_punctuation) {
  BOOST_TEST(bare_normalize(" The  The. ") == "the the");
  BOOST_TEST(bare_normalize("A+") == "a");
  BOOST_TEST(bare_normalize(" !!! \n") == "!!!");
  BOOST_TEST(bare_normalize(" ") == "");
}

BOOST_AUTO_TEST_CASE(words_and_their_f1) {
  using Words = std::vector<std::string>;
  BOOST_TEST(words_of("a  b c ") == (Words{"a", "b", "c"}), boost::test_tools::per_element());
  BOOST_TEST(words_of("").empty());
  const auto nearly = boost::test_tools::tolerance(1e-15);
  BOOST_TEST(word_f1(Words{"a", "b"}, Words{"b", "c", "d"}) == 0.4, nearly);
  BOOST_TEST(word_f1(Words{"a", "a", "b"}, Words{"a", "b", "b"}) == 2.0 / 3, nearly);
  BOOST_TEST(word_f1(Words{"a"}, Words{"a"}) == 1);
  BOOST_TEST(word_f1(Words{}, Words{"a"}) == 0);
  BOOST_TEST(word_f1(Words{}, Words{}) == 0);
}

BOOST_AUTO_TEST_CASE(each_metric_has_its_rule) {
  BOOST_TEST(normalize_for(Metric::squad_v2, "A b-c\u00e9") == "bc\u00e9");
  BOOST_TEST(normalize_for(Metric::squad_v1, "A b-c\u00e9") == "bc\u00e9");
  BOOST_TEST(normalize_for(Metric::triviaqa, "A b-c\u00e9") == "b c\u00e9");
  BOOST_TEST(normalize_for(Metric::nq_open, "A b-c\u00e9") == "bce\u0301");
}

BOOST_AUTO_TEST_CASE(squad_2_drops_golds_of_which_nothing_is_left) {
  BOOST_TEST(squad_match("the", {"A", "band"}).em == 0);
  BOOST_TEST(squad_match("the", {"A", "band"}).f1 == 0);
  BOOST_TEST(squad_match("band", {"A", "band"}).em == 1);
  // None left: the empty answer is the gold, as for an unanswerable question.
  BOOST_TEST(squad_match("the", {"A"}).em == 1);
  BOOST_TEST(squad_match("", {}).f1 == 1);
  BOOST_TEST(squad_match("x", {}).f1 == 0);
}

BOOST_AUTO_TEST_CASE(squad_1_keeps_them) {
  BOOST_TEST(squad_v1_match("the", {"A", "band"}).em == 1);
  BOOST_TEST(squad_v1_match("the", {"A", "band"}).f1 == 0);
  BOOST_TEST(squad_v1_match("the band", {"A", "band"}).f1 == 1);
}

BOOST_AUTO_TEST_CASE(triviaqa_gold_is_official_where_it_is_there) {
  Item item;
  item.metric = Metric::triviaqa;
  item.answers = {"Rock'n'Roll"};
  BOOST_TEST(triviaqa_match("rock n roll", item).em == 1);
  item.normalized_aliases = {"rocknroll"};  // as it stands, however odd
  BOOST_TEST(triviaqa_match("rock n roll", item).em == 0);
  BOOST_TEST(triviaqa_match("rocknroll", item).em == 1);
  item.human_answers = {"Rock-n-Roll"};
  BOOST_TEST(triviaqa_match("rock n roll", item).em == 1);
}

BOOST_AUTO_TEST_SUITE_END()
