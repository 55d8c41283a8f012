// SPDX-License-Identifier: Apache-2.0
// One invocation that works on a run: what `run` and `resume` share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/execution.h"
#include "cli/invocation.h"
#include "cli/results.h"
#include "cli/run_choice.h"
#include "cli/sweep_setup.h"
#include "cli/terminal.h"
#include "run/execute.h"
#include "run/phase.h"
#include "run/stop.h"
#include "store/run_store.h"

namespace promptsweep {

struct SweepWish {
  RunWish run;
  bool must_exist = false;  // --resume
  bool archive = false, json = false, quiet = false;
  StageChoice stages;
  std::set<std::string> skipped_stages;  // that the command line names
  ExecutionWish execution;
  Invocation invocation;
};

class Sweep {
 public:
  Sweep(SweepSetup setup, SweepWish wish, StopFlag& stop);

  // Chooses the run, walks through the stages, says how it ended. Returns the exit code.
  int run();

 private:
  // Before the run is opened for writing.
  Status choose();
  Result<bool> has_nothing_to_do() const;
  Status check_startable();
  Status check_that_services_serve();
  int nothing_to_do();
  Status adopt_places();

  // The stages and what they do.
  std::vector<Stage> stages();
  std::string prepare_hash() const;
  std::string build_hash() const;
  Status ready_after(const std::string& stage, const std::string& needed, const std::string& hash);
  Status check_something_sent();
  Result<std::vector<PhaseOutput>> prepare();
  Result<std::vector<PhaseOutput>> build();
  Result<std::vector<PhaseOutput>> ask(Reach reach);
  Result<ResultStages*> results();
  Stage result_stage(const std::string& name);

  // Of the latest plan, read from the run's store.
  Result<const ItemSource*> items();
  Status pin(bool supersede);
  void remember_speed();
  bool is_local() const;

  // What became of the requests of today's plan.
  struct Tally {
    std::int64_t expected = 0, accepted = 0, in_jobs = 0, jobs = 0;
    std::map<Outcome, std::int64_t> not_ok;  // final ones
  };
  Result<Tally> tally() const;

  // How it ended.
  Status write_all_manifests();
  Result<bool> every_trial_is_complete();
  int conclude(const Result<StagesDone>& done);
  int say_stopped();
  void say_what_is_not_ok() const;
  void print_findings();
  void print_counts() const;
  std::string how_to_go_on() const;
  int seal();

  SweepSetup setup_;
  SweepWish wish_;
  StopFlag& stop_;
  TerminalObserver observer_;
  RunChoice choice_;
  std::unique_ptr<RunStore> run_;
  std::unique_ptr<ItemSource> items_;
  RunPlan plan_;  // the run's own, superseded trials included; once prepared
  bool asked_ = false;
  ExecuteSummary summary_;
  std::unique_ptr<ResultStages> results_;
};

}  // namespace promptsweep
