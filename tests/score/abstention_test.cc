// SPDX-License-Identifier: Apache-2.0
#include "score/abstention.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "base/env.h"
#include "base/unicode.h"

using namespace promptsweep;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> phrases{"I don't know", "I do not know"};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(abstention)

// D1: the phrase that the instructions ask for was never an abstention.
BOOST_AUTO_TEST_CASE(d1_the_phrase_that_each_instruction_asks_for_is_detected) {
  const std::string marker = ": ";  // "... reply with exactly: <phrase>"
  int files = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(PROMPTSWEEP_SOURCE_DIR "/config/task_instructions")) {
    if (entry.path().extension() != ".txt") continue;
    const std::string text = read_file(entry.path()).value();
    const std::size_t at = text.rfind(marker);
    BOOST_TEST_REQUIRE(at != std::string::npos, entry.path() << " asks for no phrase");
    const std::string asked = text.substr(at + marker.size());
    for (const std::string& form :
         {asked, upper(asked), unicode_lower(asked), replaced(asked, "'", "\u2019"),
          replaced(asked, "'", "\u02bc"), "\u201c" + asked + "\u201d", "  \"" + asked + "\"  "}) {
      BOOST_TEST(is_abstention(form, phrases), entry.path() << ": " << form);
    }
    ++files;
  }
  BOOST_TEST(files >= 4);
}

// D9: one refusal phrase in every prompt, control and length-matched ones included, so that the
// prompt sets do not differ in what they ask an unsure model to say.
BOOST_AUTO_TEST_CASE(d9_every_prompt_asks_for_the_same_phrase) {
  int files = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(PROMPTSWEEP_SOURCE_DIR "/config/prompts")) {
    if (!entry.is_regular_file()) continue;
    const std::string text = read_file(entry.path()).value();
    BOOST_TEST(text.find("I don't know") != std::string::npos, entry.path());
    for (const char* other : {"cannot answer", "can't answer", "insufficient", "UNKNOWN", "N/A"}) {
      BOOST_TEST(text.find(other) == std::string::npos, entry.path() << " also offers " << other);
    }
    ++files;
  }
  BOOST_TEST(files == 15);
}

BOOST_AUTO_TEST_CASE(forms_of_a_refusal) {
  for (const char* answer :
       {"I don't know", "i don't know.", "I DON\u2019T KNOW!", "I don\u02bct know", "I don`t know",
        "I don\u2018t know", "I don\u00b4t know", "I don\uff07t know", "  I don't\n know \t",
        "\"I don't know.\"", "\u201cI don\u2019t know.\u201d", "'I don't know'", "**I don't know**",
        "I\u00a0don't know\u2026", "(I do not know)", "\u200bI don't know", "- I don't know",
        "I don't know \U0001F937\U0000200D\U00002642\U0000FE0F"}) {
    BOOST_TEST(is_abstention(answer, phrases), answer);
  }
}

// D1 again: a substring is no refusal.
BOOST_AUTO_TEST_CASE(d1_answers_that_hold_a_refusal_are_answers) {
  for (const char* answer :
       {"Tomb of the Unknown Soldier", "not sure but Paris", "I don't know. Paris?",
        "I don't know, Paris", "Paris. I don't know.", "I don't know why the caged bird sings",
        "I don't", "know", "don't know", "I know", "", "   ", "...", "\"\"", "Idon'tknow",
        "I don t know", "I dont know"}) {
    BOOST_TEST(!is_abstention(answer, phrases), answer);
  }
}

BOOST_AUTO_TEST_CASE(configured_phrases_decide) {
  BOOST_TEST(!is_abstention("UNANSWERABLE", phrases));
  BOOST_TEST(is_abstention("UNANSWERABLE.", {"unanswerable"}));
  BOOST_TEST(is_abstention("Je ne sais pas.", {"je ne sais pas"}));
  BOOST_TEST(is_abstention("分かりません。", {"分かりません"}));
  BOOST_TEST(is_abstention("cafe\u0301", {"CAF\u00c9"}));
  BOOST_TEST(!is_abstention("I don't know", {}));
  BOOST_TEST(!is_abstention("", {"", "..."}));
  BOOST_TEST(!is_abstention("?", {"..."}));
}

// A vowel sign at the end is a mark to Unicode and part of the word all the same.
BOOST_AUTO_TEST_CASE(a_final_mark_belongs_to_the_word) {
  BOOST_TEST(abstention_form("\u0928\u0939\u0940\u0964") == "\u0928\u0939\u0940");
  BOOST_TEST(!is_abstention("\u0928\u0939", {"\u0928\u0939\u0940"}));
}

BOOST_AUTO_TEST_CASE(the_form_itself) {
  BOOST_TEST(abstention_form("  \u201cI  DON\u2019T\tknow!\u201d ") == "i don't know");
  BOOST_TEST(abstention_form("not -- sure") == "not -- sure");
  BOOST_TEST(abstention_form("!?") == "");
}

BOOST_AUTO_TEST_SUITE_END()
