// SPDX-License-Identifier: Apache-2.0
// promptsweep cache over a cache that holds something.
#define BOOST_TEST_MODULE cache_command
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <sstream>

#include "cli/command.h"
#include "store/response_cache.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

struct Called {
  int exit = 0;
  std::string out, err;
};

struct CommandFixture {
  TemporaryFolder folder;

  Called call(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--experiments_dir", (folder / "").string()});
    std::ostringstream out, err;
    std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
    std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
    const int exit = cmd_cache(arguments);
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {exit, out.str(), err.str()};
  }
  void enter(const std::string& model, int rows) const {
    auto cache = ResponseCache::open(folder / response_cache_name);
    BOOST_REQUIRE(cache);
    const CacheArm arm{"arm", "run", model, "echo", R"({"engine":"echo"})"};
    const auto entered = (*cache)->enter_arm(arm, [&](const ResponseCache::Put& put) -> Status {
      for (int i = 0; i < rows; ++i) {
        ResultRow row;
        row.outcome = Outcome::ok;
        row.text = "answer";
        if (Status done = put(model + std::to_string(i), row); !done) return done;
      }
      return ok;
    });
    BOOST_REQUIRE(entered);
  }
  bool info_says(const std::string& text) const {
    return call({"info"}).out.find(text) != std::string::npos;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cache_command, CommandFixture)

BOOST_AUTO_TEST_CASE(info_and_prune) {
  enter("small", 5);
  enter("large", 3);
  BOOST_TEST(info_says("8 answers of 2 arms"));
  BOOST_TEST(info_says("echo large: 3 answers"));
  BOOST_TEST(call({"info", "--json"}).out.find("\"rows\": 8") != std::string::npos);

  // Shown first, done with --yes.
  const Called shown = call({"prune", "--model", "large"});
  BOOST_TEST(shown.exit == exit_ok);
  BOOST_TEST(shown.out.find("would remove 3 answers") != std::string::npos);
  BOOST_TEST(info_says("8 answers"));
  BOOST_TEST(call({"prune", "--model", "large", "--yes"}).out.find("removed 3 answers") == 0u);
  BOOST_TEST(info_says("5 answers of 1 arms"));

  BOOST_TEST(call({"prune", "--max_age", "1d", "--yes"}).out.find("removed 0 answers") == 0u);
  BOOST_TEST(call({"prune", "--max_age", "0m", "--yes"}).out.find("removed 5 answers") == 0u);
  enter("small", 5);
  BOOST_TEST(call({"prune", "--max_size", "1G", "--yes"}).out.find("removed 0 answers") == 0u);
  BOOST_TEST(call({"prune", "--max_size", "1K", "--json"}).out.find("\"rows\": 2") !=
             std::string::npos);
  BOOST_TEST(call({"prune", "--max_size", "0", "--yes"}).out.find("removed 5 answers") == 0u);
  BOOST_TEST(info_says("0 answers"));
}

BOOST_AUTO_TEST_CASE(what_is_no_rule_is_refused) {
  enter("small", 2);
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"prune", "--yes"},
                                             {"prune", "--max_age", "90"},
                                             {"prune", "--max_age", "-1d"},
                                             {"prune", "--max_age", "1dd"},
                                             {"prune", "--max_age", "nand"},
                                             {"prune", "--max_size", "2X"},
                                             {"prune", "--max_size", "1e30G"},
                                             {"prune", "--max_size", ""},
                                             {"remove"}}) {
    const Called called = call(wrong);
    BOOST_TEST(called.exit == exit_bad_input, wrong.back());
    BOOST_TEST(!called.err.empty());
  }
  BOOST_TEST(info_says("2 answers"));
}

BOOST_AUTO_TEST_SUITE_END()
