// SPDX-License-Identifier: Apache-2.0
#include "run/phase.h"

#include <boost/test/unit_test.hpp>

#include "base/env.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

struct Fixture {
  TemporaryFolder folder;
  std::unique_ptr<RunStore> run;
  Observer observer;
  int executed = 0;
  std::string content = "first";

  Fixture() {
    Result<std::unique_ptr<RunStore>> opened = RunStore::open_for_writing(folder / "run_x");
    BOOST_REQUIRE(opened);
    run = std::move(opened).value();
  }
  std::filesystem::path output() const { return run->folder() / "out.txt"; }
  Status execute(const std::string& input_hash) {
    Phase phase;
    phase.name = "parse";
    phase.subject = "trial";
    phase.input_hash = input_hash;
    phase.execute = [this]() -> Result<std::vector<PhaseOutput>> {
      ++executed;
      Result<std::string> sha = put_artifact(output(), content);
      if (!sha) return std::move(sha).error();
      return std::vector<PhaseOutput>{{output(), *sha}};
    };
    return run_phases(*run, {phase}, observer);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(phases)

BOOST_AUTO_TEST_CASE(done_means_same_inputs_and_the_very_output) {
  Fixture f;
  BOOST_REQUIRE(f.execute("h1"));
  BOOST_REQUIRE(f.execute("h1"));
  BOOST_TEST(f.executed == 1);
  BOOST_REQUIRE(f.execute("h2"));
  BOOST_TEST(f.executed == 2);
}

// D10, D30: an existing file proves nothing; a torn or edited one is made again.
BOOST_AUTO_TEST_CASE(a_damaged_output_is_made_again) {
  Fixture f;
  BOOST_REQUIRE(f.execute("h1"));
  BOOST_REQUIRE(write_file_atomic(f.output(), "fir"));
  BOOST_REQUIRE(f.execute("h1"));
  BOOST_TEST(f.executed == 2);
  BOOST_TEST(read_file(f.output()).value() == "first");
  std::filesystem::remove(f.output());
  BOOST_REQUIRE(f.execute("h1"));
  BOOST_TEST(f.executed == 3);
}

// D15: a phase that fails leaves no record, so that it is tried again.
BOOST_AUTO_TEST_CASE(a_failed_phase_is_not_done) {
  Fixture f;
  Phase broken{"stats", "trial", "h", []() -> Result<std::vector<PhaseOutput>> {
                 return Error{Code::io, "disk full"};
               }};
  const Status status = run_phases(*f.run, {broken}, f.observer);
  BOOST_REQUIRE(!status);
  BOOST_TEST(status.error().text.find("disk full") != std::string::npos);
  BOOST_TEST(!f.run->phase("stats", "trial").value().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
