// SPDX-License-Identifier: Apache-2.0
#include "analysis/verify.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "temporary_folder.h"

using namespace promptsweep;

namespace {

const std::string rows =
    "id,text,n\n"
    "a|1,\"one, \"\"two\"\"\nand a second line\",1\n"
    "\"b,2\",plain,2\n"
    "c,last,3\n";

std::vector<Difference> differences(const std::string& stored, const std::string& made,
                                    const std::vector<std::string>& columns = {}) {
  TemporaryFolder folder;
  std::ofstream(folder / "stored", std::ios::binary) << stored;
  std::ofstream(folder / "made", std::ios::binary) << made;
  std::vector<Difference> out;
  const Status done = compare_files(folder / "stored", folder / "made", columns,
                                    [&](const Difference& found) { out.push_back(found); });
  BOOST_REQUIRE(static_cast<bool>(done));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(every_changed_byte_is_found_in_its_line) {
  BOOST_TEST(differences(rows, rows, {"id"}).empty());
  std::size_t line = 1;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST_CONTEXT("byte " << i) {
      std::string changed = rows;
      changed[i] = '~';
      const auto found = differences(changed, rows, {"id"});
      BOOST_REQUIRE_EQUAL(found.size(), 1U);
      const std::string number = "line " + std::to_string(line);
      BOOST_TEST(found[0].row.substr(0, number.size()) == number);
      BOOST_TEST(found[0].stored != found[0].recomputed);
    }
    if (rows[i] == '\n') ++line;
  }
}

BOOST_AUTO_TEST_CASE(a_line_within_a_quoted_field_is_named_by_its_row) {
  std::string changed = rows;
  changed[rows.find("second")] = 'S';
  BOOST_TEST(differences(changed, rows, {"id"})[0].row == "line 3 (a|1)");
  changed = rows;
  changed[rows.find("plain")] = 'P';
  const auto found = differences(changed, rows, {"id", "n"});
  BOOST_TEST(found[0].row == "line 4 (b,2, 2)");
  BOOST_TEST(found[0].stored == "\"\"b,2\",Plain,2\\n\"");
  BOOST_TEST(found[0].recomputed == "\"\"b,2\",plain,2\\n\"");
}

BOOST_AUTO_TEST_CASE(lines_that_are_missing_or_too_many_and_a_missing_end) {
  const auto shorter = differences(rows.substr(0, rows.find("c,last")), rows, {"id"});
  BOOST_REQUIRE_EQUAL(shorter.size(), 1U);
  BOOST_TEST(shorter[0].row == "line 5 (c)");
  BOOST_TEST(shorter[0].says == "the line is missing");
  const auto longer = differences(rows + "d,more,4\n", rows, {"id"});
  BOOST_REQUIRE_EQUAL(longer.size(), 1U);
  BOOST_TEST(longer[0].row == "line 6 (d)");
  BOOST_TEST(longer[0].says == "the line is one too many");
  const auto no_end = differences(rows.substr(0, rows.size() - 1), rows);
  BOOST_REQUIRE_EQUAL(no_end.size(), 1U);
  BOOST_TEST(no_end[0].row == "line 5");
  BOOST_TEST(differences("", rows)[0].row == "line 1");
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_a_difference_and_an_unreadable_one_an_error) {
  TemporaryFolder folder;
  std::vector<Difference> out;
  const auto found = [&](const Difference& one) { out.push_back(one); };
  BOOST_TEST(static_cast<bool>(compare_text(folder / "none", "x", found)));
  BOOST_REQUIRE_EQUAL(out.size(), 1U);
  BOOST_TEST(out[0].says == "the file is missing");
  std::ofstream(folder / "text") << "x\ny";
  BOOST_TEST(static_cast<bool>(compare_text(folder / "text", "x\ny", found)));
  BOOST_TEST(out.size() == 1U);
  BOOST_TEST(!compare_files(folder / "text", folder / "none", {}, found));
  BOOST_TEST(out.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_excerpt_is_one_short_line_of_valid_text) {
  const std::string long_line = std::string(500, 'a') + "\xC3\xA4" + std::string(500, 'b');
  const std::string text = excerpt(long_line, 502);
  BOOST_TEST(text.size() < 100U);
  BOOST_TEST(text.find("\xC3\xA4") != std::string::npos);
  BOOST_TEST(text.substr(0, 4) == "\"...");
  BOOST_TEST(excerpt("a\tb\n", 0) == "\"a\\x09b\\n\"");
  BOOST_TEST(excerpt("\xFF", 0) == "\"\xEF\xBF\xBD\"");
}

BOOST_AUTO_TEST_SUITE_END()
