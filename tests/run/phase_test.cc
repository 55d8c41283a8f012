// SPDX-License-Identifier: Apache-2.0
#include "run/phase.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "base/env.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

struct Fixture {
  TemporaryFolder folder;
  std::unique_ptr<RunStore> run;
  Observer observer;
  StopFlag stop;
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
    return run_phases(*run, {phase}, StageChoice(), observer, stop);
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

// D15: a phase that fails or throws is not done, whatever it was before, so that it is tried again.
BOOST_AUTO_TEST_CASE(a_failed_phase_is_not_done) {
  Fixture f;
  for (const bool throws : {false, true}) {
    Phase phase{"stats", "trial", "h",
                []() -> Result<std::vector<PhaseOutput>> { return std::vector<PhaseOutput>(); }};
    BOOST_REQUIRE(run_phases(*f.run, {phase}, StageChoice(), f.observer, f.stop));
    phase.input_hash = "h2";
    phase.execute = [throws]() -> Result<std::vector<PhaseOutput>> {
      if (throws) throw std::runtime_error("disk full");
      return Error{Code::io, "disk full"};
    };
    const Status status = run_phases(*f.run, {phase}, StageChoice(), f.observer, f.stop);
    BOOST_REQUIRE(!status);
    BOOST_TEST(status.error().text.find("disk full") != std::string::npos);
    BOOST_TEST(f.run->phase("stats", "trial").value()->input_hash.empty());
    BOOST_TEST(f.run->last_error().value().find("disk full") != std::string::npos);
  }
}

// D15: a stop before the statistics leaves no result of them, and the next run makes them.
BOOST_AUTO_TEST_CASE(d15_a_stop_leaves_later_stages_undone) {
  Fixture f;
  std::vector<std::string> went;
  const auto stage = [&](const std::string& name, bool stops) {
    return Stage{
        name, []() -> Status { return ok; },
        [&f, &went, name, stops]() -> Result<std::vector<Phase>> {
          return std::vector<Phase>{
              {name, "run", "h", [&f, &went, name, stops]() -> Result<std::vector<PhaseOutput>> {
                 went.push_back(name);
                 if (stops) f.stop.request();
                 return std::vector<PhaseOutput>();
               }}};
        }};
  };
  const Result<StagesDone> cut = run_stages(*f.run, {stage("score", true), stage("stats", false)},
                                            StageChoice(), f.observer, f.stop);
  BOOST_REQUIRE(!cut);
  BOOST_TEST((cut.error().code == Code::cancelled));
  BOOST_TEST((went == std::vector<std::string>{"score"}));
  BOOST_TEST(!f.run->phase("stats", "run").value().has_value());
  const StopFlag nobody_stops;
  BOOST_TEST(run_stages(*f.run, {stage("score", false), stage("stats", false)}, StageChoice(),
                        f.observer, nobody_stops)
                 .value()
                 .everything);
  BOOST_TEST((went == std::vector<std::string>{"score", "stats"}));
}

// D37, D38: what is left out is left out, and is no part of a complete run.
BOOST_AUTO_TEST_CASE(a_stage_that_is_left_out_is_not_done) {
  Fixture f;
  std::vector<std::string> went;
  const auto stage = [&](const std::string& name, bool ready) {
    return Stage{name,
                 [ready]() -> Status {
                   if (ready) return ok;
                   return Error{Code::state, "nothing to work on"};
                 },
                 [&went, name]() -> Result<std::vector<Phase>> {
                   Phase phase{name, "run", "h",
                               [&went, name]() -> Result<std::vector<PhaseOutput>> {
                                 went.push_back(name);
                                 return std::vector<PhaseOutput>();
                               }};
                   return std::vector<Phase>{phase};
                 }};
  };
  const std::vector<Stage> stages{stage("parse", true), stage("score", true), stage("stats", true)};
  StageChoice::Wish wish;
  wish.skip = {"score"};
  BOOST_TEST(!run_stages(*f.run, stages, StageChoice::from(wish).value(), f.observer, f.stop)
                  .value()
                  .everything);
  BOOST_TEST((went == std::vector<std::string>{"parse", "stats"}));
  BOOST_TEST(f.run->phase("score", "run").value()->input_hash.empty());
  BOOST_TEST(run_stages(*f.run, stages, StageChoice(), f.observer, f.stop).value().everything);
  BOOST_TEST((went == std::vector<std::string>{"parse", "stats", "score"}));
  BOOST_TEST(run_stages(*f.run, stages, StageChoice::from(wish).value(), f.observer, f.stop)
                 .value()
                 .everything);

  wish = {};
  wish.force = {"stats"};
  BOOST_TEST(run_stages(*f.run, stages, StageChoice::from(wish).value(), f.observer, f.stop)
                 .value()
                 .everything);
  BOOST_TEST(went.size() == 4U);

  const Result<StagesDone> early =
      run_stages(*f.run, {stage("stats", false)}, StageChoice(), f.observer, f.stop);
  BOOST_REQUIRE(!early);
  BOOST_TEST(early.error().text == "nothing to work on");
  BOOST_TEST(f.run->last_error().value().find("nothing to work on") != std::string::npos);
  BOOST_TEST(run_stages(*f.run, stages, StageChoice(), f.observer, f.stop).value().everything);
  BOOST_TEST(f.run->last_error().value().empty());
  f.stop.request();
  BOOST_TEST((run_stages(*f.run, stages, StageChoice(), f.observer, f.stop).error().code ==
              Code::cancelled));
}

// A record does not make a phase done that knows better.
BOOST_AUTO_TEST_CASE(unfinished_work_is_not_recorded_as_done) {
  Fixture f;
  bool finished = false;
  Phase phase{"poll", "run", "h",
              [&f]() -> Result<std::vector<PhaseOutput>> {
                ++f.executed;
                return std::vector<PhaseOutput>();
              },
              [&finished]() -> Result<bool> { return finished; }};
  const Stage stage{"poll", []() -> Status { return ok; },
                    [&phase]() -> Result<std::vector<Phase>> { return std::vector<Phase>{phase}; }};
  BOOST_TEST(!run_stages(*f.run, {stage}, StageChoice(), f.observer, f.stop).value().everything);
  BOOST_TEST(f.run->phase("poll", "run").value()->input_hash.empty());
  finished = true;
  BOOST_TEST(run_stages(*f.run, {stage}, StageChoice(), f.observer, f.stop).value().everything);
  BOOST_TEST(f.executed == 2);
  finished = false;
  BOOST_TEST(!run_stages(*f.run, {stage}, StageChoice(), f.observer, f.stop).value().everything);
  BOOST_TEST(f.executed == 3);
}

BOOST_AUTO_TEST_CASE(stage_flags_that_make_no_sense_are_refused) {
  const auto refused = [](const StageChoice::Wish& wish) {
    const Result<StageChoice> choice = StageChoice::from(wish);
    return !choice && choice.error().code == Code::invalid_input;
  };
  StageChoice::Wish wish;
  wish.only = "stat";
  BOOST_TEST(refused(wish));
  wish.only = "stats";
  BOOST_TEST(!refused(wish));
  wish.to = "report";
  BOOST_TEST(refused(wish));
  wish = {};
  wish.from = "stats";
  wish.to = "score";
  BOOST_TEST(refused(wish));
  wish.to = "stats";
  wish.skip = {"stats"};
  BOOST_TEST(refused(wish));
  wish = {};
  wish.to = "score";
  wish.force = {"report"};
  BOOST_TEST(refused(wish));
  wish.force = {"parse"};
  const StageChoice choice = StageChoice::from(wish).value();
  BOOST_TEST(choice.wants("prepare"));
  BOOST_TEST(!choice.wants("stats"));
  BOOST_TEST(choice.forces("parse"));
  BOOST_TEST(!choice.is_everything());
  BOOST_TEST(StageChoice().is_everything());
}

BOOST_AUTO_TEST_SUITE_END()
