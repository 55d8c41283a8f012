// SPDX-License-Identifier: Apache-2.0
// The store of one run: plan, pinned items, phase records; and the artifacts of its folder.
//
//   experiments/run_<RUN_ID>/
//     run.sqlite  .run.lock  effective_config.yaml  multi_trial_manifest.json  aggregate_report.md
//     significance.json  logs/
//     shared_controls/<arm id>/{arm.sqlite, jobs/}
//     <trial-slug>/{trial_manifest.json, results/, reports/, arms/<arm id>/{arm.sqlite, jobs/}}
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "records/item.h"
#include "records/plan.h"

namespace promptsweep {

struct PhaseRecord {
  std::string phase;         // prepare, build, submit, poll, parse, score, stats, costs, report
  std::string subject;       // arm id, trial slug, or "run"
  std::string input_hash;    // what its output was made from
  std::string outputs_json;  // {"path": "sha256", ...} relative to the run folder
  std::string finished_at;   // RFC 3339
};

class RunStore {
 public:
  // Creates the folder and the database, or opens them for writing. Holds the run's writer lock
  // until destroyed; Code::state with the holder's note when another process has it.
  static Result<std::unique_ptr<RunStore>> open_for_writing(
      const std::filesystem::path& run_folder);
  static Result<std::unique_ptr<RunStore>> open_read_only(const std::filesystem::path& run_folder);
  virtual ~RunStore() = default;

  virtual const std::filesystem::path& folder() const = 0;

  // One transaction. Arms and trials that exist are left alone; trials of an earlier plan that the
  // new one lacks are marked superseded when the configuration changed (`supersede`).
  virtual Status write_plan(const RunPlan& plan, const std::vector<Item>& items,
                            bool supersede) = 0;
  virtual Result<RunPlan> plan() = 0;  // every trial ever planned, superseded ones marked
  virtual Result<std::vector<Item>> items() = 0;  // pinned, in run order

  virtual Result<std::optional<PhaseRecord>> phase(const std::string& phase,
                                                   const std::string& subject) = 0;
  virtual Status record_phase(const PhaseRecord& record) = 0;
  virtual Result<std::vector<PhaseRecord>> phases() = 0;

  // complete, incomplete; and sealed (archived) runs refuse every write.
  virtual Result<std::string> state() = 0;
  virtual Status set_state(const std::string& state) = 0;

  virtual Result<std::unique_ptr<class ArmStore>> open_arm(const ArmSpec& arm) = 0;
  virtual Result<std::unique_ptr<class ArmStore>> open_arm_read_only(const ArmSpec& arm) = 0;

  // Throughput of earlier runs is kept beside the runs (experiments/throughput.json).
};

// Writes a file that others rendered, atomically. Returns its SHA-256.
Result<std::string> put_artifact(const std::filesystem::path& path, std::string_view bytes);

// Seal: SHA256SUMS over every file of the run (itself and locks excluded), then state "sealed".
Status seal_run(RunStore& run);

struct RunSummary {
  std::string run_id;
  std::filesystem::path folder;
  std::string state;
  std::string created_at, config_sha256, command_line_json;
};
// The runs under an experiments folder, newest first; unreadable ones are listed with state
// "unreadable".
Result<std::vector<RunSummary>> list_runs(const std::filesystem::path& experiments_folder);

}  // namespace promptsweep
