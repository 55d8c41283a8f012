// SPDX-License-Identifier: Apache-2.0
// The runs of an experiments folder, seen from outside: which there are, which one a person means,
// how far each is. Reads only, beside a writer or after a crash, and never waits for one. Thread
// safety: free functions without shared state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/plan.h"
#include "store/arm_store.h"
#include "store/run_store.h"

namespace promptsweep {

struct RunSummary {
  std::string run_id;
  std::filesystem::path folder;
  std::string state;  // complete, incomplete, sealed: as recorded; or unreadable
  std::string created_at, config_sha256, command_line_json;
  std::string problem;                // of an unreadable run
  std::optional<std::string> writer;  // who runs it now: the note in its lock

  // What a person calls its state: running while somebody writes it, else `state`.
  std::string shown_state() const { return writer ? "running" : state; }
};

// The runs under an experiments folder, newest first; unreadable ones come last, with the state
// "unreadable". A folder that does not exist holds none.
Result<std::vector<RunSummary>> list_runs(const std::filesystem::path& experiments_folder);

// The run that `name` means: an id ("r2026..." or "run_r2026...") under the experiments folder, or
// a run's folder. Code::invalid_input when there is no such run.
Result<RunSummary> named_run(const std::filesystem::path& experiments_folder,
                             const std::string& name);
// Code::invalid_input when there is none that can be read.
Result<RunSummary> newest_run(const std::filesystem::path& experiments_folder);

// A folder (no link) that holds a run's database, readable or not.
bool is_run_folder(const std::filesystem::path& folder);

struct ArmOverview {
  std::string arm_id;
  bool live = false;     // of a trial that is not superseded
  bool started = false;  // has a store; without one progress.expected is the plan's
  ArmProgress progress;
  std::string engine_identity;  // JSON; empty: nothing ran yet
  std::vector<JobRow> open_jobs;
  std::string problem;  // why its store cannot be read; empty: it can
};

struct RunOverview {
  RunSummary summary;
  RunPlan plan;                   // without its blocks; empty before the first plan was written
  std::vector<ArmOverview> arms;  // as plan.arms
  std::vector<PhaseRecord> phases;
  std::string last_error_json;  // what last went wrong; empty: nothing

  const ArmOverview* find(const std::string& arm_id) const;
  // Every arm is complete, and can be read.
  bool complete(const TrialSpec& trial) const;
  // Requests of a trial's arms, or of an engine's live arms, or of all live arms: each arm once.
  ArmProgress progress_of(const TrialSpec& trial) const;
  ArmProgress progress_of(const EngineSpec& engine) const;
  ArmProgress progress() const;
  // Arms whose store cannot be read.
  std::vector<const ArmOverview*> damaged() const;
};

// One counting query an arm. Code::data for an unreadable run; a single arm that cannot be read is
// an ArmOverview with a problem.
Result<RunOverview> read_overview(const RunSummary& summary);

}  // namespace promptsweep
