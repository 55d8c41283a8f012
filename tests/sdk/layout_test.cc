// SPDX-License-Identifier: Apache-2.0
// Every released layout is a beginning of today's: structs grow at their end, constants stay.
#include "layout.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace {

struct Layout {
  std::map<std::string, std::vector<std::string>> structs;
  std::set<std::string> others;
};

Layout parse(std::istream& in) {
  Layout out;
  std::string current;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("struct ", 0) == 0) {
      current = line.substr(7);
      out.structs[current];
    } else if (line.rfind("  ", 0) == 0) {
      out.structs[current].push_back(line);
    } else {
      out.others.insert(line);
    }
  }
  return out;
}

// The first thing of `released` that `today` broke, or empty.
std::string broken(const Layout& released, const Layout& today) {
  for (const auto& [name, fields] : released.structs) {
    const auto found = today.structs.find(name);
    if (found == today.structs.end()) return "struct " + name + " is gone";
    const auto& now = found->second;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i >= now.size() || now[i] != fields[i]) return name + " lost" + fields[i];
    }
  }
  for (const std::string& other : released.others) {
    if (today.others.count(other) == 0) return "lost " + other;
  }
  return "";
}

Layout today() {
  std::istringstream in(abi_text());
  return parse(in);
}

BOOST_AUTO_TEST_CASE(every_field_is_listed_and_there_is_no_padding) {
  for (const AbiStruct& s : abi_structs()) BOOST_TEST(!s.has_gap, s.name);
}

BOOST_AUTO_TEST_CASE(released_layouts_are_beginnings_of_todays) {
  int released = 0;
  const std::filesystem::path folder = std::filesystem::path(PROMPTSWEEP_SOURCE_DIR) / "sdk/abi";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().filename().string().rfind("layout_", 0) != 0) continue;
    std::ifstream in(file.path());
    BOOST_TEST(broken(parse(in), today()) == "", file.path());
    ++released;
  }
  BOOST_TEST(released >= 1);
}

BOOST_AUTO_TEST_CASE(the_gate_sees_each_kind_of_break) {
  Layout changed = today();
  changed.structs["psw_record"].push_back("  96 8 unsigned long appended");
  BOOST_TEST(broken(today(), changed) == "");
  changed = today();
  auto& fields = changed.structs["psw_record"];
  fields.insert(fields.begin() + 2, "  8 8 unsigned long inserted");
  BOOST_TEST(broken(today(), changed) != "");
  changed = today();
  changed.structs["psw_error"].pop_back();
  BOOST_TEST(broken(today(), changed) != "");
  changed = today();
  changed.structs.erase("psw_sink");
  BOOST_TEST(broken(today(), changed) != "");
  changed = today();
  changed.others.erase("constant PSW_OUTCOME_EXPIRED 9");
  BOOST_TEST(broken(today(), changed) == "lost constant PSW_OUTCOME_EXPIRED 9");
}

}  // namespace
