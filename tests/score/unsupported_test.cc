// SPDX-License-Identifier: Apache-2.0
#include "score/unsupported.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep;

namespace {

const std::string passage =
    "The Normans (Nourmands in Norman) gave their name to Normandy, a region in France. They were "
    "descended from Norse raiders from Denmark, Iceland and Norway.";

UnsupportedRule overlap(double least) { return {UnsupportedRule::Strategy::overlap, least}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(unsupported)

BOOST_AUTO_TEST_CASE(baseline_wants_the_words_in_a_row) {
  const UnsupportedRule baseline;
  for (const char* answer : {"France", "a region in France", "region in the France", "NORMANDY",
                             "in Norman gave", "Denmark, Iceland and Norway", "Normans"}) {
    BOOST_TEST(is_supported(answer, passage, baseline), answer);
  }
  for (const char* answer : {"Paris", "Norway and Denmark", "Franc", "France France", "ran", "",
                             "the", "It is France"}) {
    BOOST_TEST(!is_supported(answer, passage, baseline), answer);
  }
  BOOST_TEST(!is_supported("France", "", baseline));
}

// A character search would find "orman" and "in norm" too.
BOOST_AUTO_TEST_CASE(baseline_compares_whole_words) {
  BOOST_TEST(!is_supported("orman", passage, {}));
  BOOST_TEST(!is_supported("in norm", passage, {}));
}

BOOST_AUTO_TEST_CASE(overlap_wants_a_share_of_the_words) {
  // Two of three words occur.
  BOOST_TEST(is_supported("Norway then Denmark", passage, overlap(0.6)));
  BOOST_TEST(!is_supported("Norway then Denmark", passage, overlap(0.67)));
  BOOST_TEST(is_supported("Norway and Denmark", passage, overlap(1)));
  BOOST_TEST(!is_supported("Paris", passage, overlap(0.01)));
  BOOST_TEST(is_supported("Paris", passage, overlap(0)));
  BOOST_TEST(!is_supported("", passage, overlap(0)));
  // Exactly the share is enough.
  BOOST_TEST(is_supported("Norway Sweden", passage, overlap(0.5)));
  BOOST_TEST(is_supported("Norway Denmark Iceland Sweden Finland", passage, overlap(0.6)));
}

// D13: sweeping the rule changes what it finds.
BOOST_AUTO_TEST_CASE(d13_the_share_asked_for_changes_the_verdict) {
  std::vector<bool> verdicts;
  for (double least : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    verdicts.push_back(is_supported("Norway Paris", passage, overlap(least)));
  }
  BOOST_TEST(verdicts == (std::vector<bool>{true, true, true, false, false}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
