// SPDX-License-Identifier: Apache-2.0
// The store of one run: plan, pinned items, phase records; and the artifacts of its folder.
// Stored bytes: core/store/FORMAT.md. Thread safety: a RunStore serialises its callers.
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
#include "records/difference.h"
#include "records/item_source.h"
#include "records/plan.h"

namespace promptsweep {

struct PhaseRecord {
  std::string phase;         // prepare, build, submit, poll, parse, score, stats, costs, report
  std::string subject;       // arm id, trial slug, or "run"
  std::string input_hash;    // what its output was made from; empty: left out or failed
  std::string outputs_json;  // {"path": "sha256", ...} relative to the run folder
  std::string finished_at;   // RFC 3339
};

struct SelectionRecord {
  std::string input_hash;  // of the data files and of everything that chooses among their items
  std::string facts_json;  // what came of it: core/dataset
};

class RunStore {
 public:
  // Creates the folder and the database, or opens them for writing. Holds the run's writer lock
  // until destroyed; Code::state with the holder's note when another process has it. A sealed run
  // opens, and refuses every write.
  static Result<std::unique_ptr<RunStore>> open_for_writing(
      const std::filesystem::path& run_folder);
  static Result<std::unique_ptr<RunStore>> open_read_only(const std::filesystem::path& run_folder);
  // For a run that nobody writes: leaves every byte of its folder as it is, its arms' stores
  // included. Code::state while a log lies beside a store (a writer, or one that was killed).
  static Result<std::unique_ptr<RunStore>> open_immutable(const std::filesystem::path& run_folder);
  virtual ~RunStore() = default;

  virtual const std::filesystem::path& folder() const = 0;

  // One transaction. Arms and trials that exist are left alone (an arm whose identity differs
  // under the same id is Code::state; a trial gains the arms that it lacked, of a plan for one
  // condition only). Where the configuration changed (`supersede`), trials of an earlier plan are
  // marked superseded that the new one has another of (is_replaced); without it, other items than
  // the pinned ones are Code::state. Refused: arm ids "pending", slugs that differ from another in
  // case alone, paths that leave the run folder. A set of items that is pinned already is not read
  // again.
  virtual Status write_plan(const RunPlan& plan, const ItemSource& items, bool supersede) = 0;
  // Every arm and trial ever planned, the latest plan's first, superseded trials marked; the
  // blocks are the latest plan's. Code::state before the first write_plan.
  virtual Result<RunPlan> plan() = 0;
  // Items read from the store, for as long as the store is open. Of the latest plan, in run order:
  virtual Result<std::unique_ptr<ItemSource>> items() = 0;
  // What an arm was last planned with; differs from items() for arms that an edit left behind.
  virtual Result<std::unique_ptr<ItemSource>> items_of(const std::string& arm_id) = 0;
  // The pinned set of this hash; Code::not_found where there is none.
  virtual Result<std::unique_ptr<ItemSource>> pinned_items(const std::string& items_sha256) = 0;
  // Which set items_of(arm_id) is.
  virtual Result<std::string> items_sha256_of(const std::string& arm_id) = 0;

  // What the latest plan's items were chosen from, so that a plan can be made again without the
  // data. nullopt: not recorded.
  virtual Result<std::optional<SelectionRecord>> selection() = 0;
  virtual Status record_selection(const SelectionRecord& record) = 0;

  // Takes the superseded trials out of the plan, with their phases and the arms that no other trial
  // uses. Their files stay (store/removal.h); their items stay pinned.
  virtual Status forget_superseded() = 0;

  virtual Result<std::optional<PhaseRecord>> phase(const std::string& phase,
                                                   const std::string& subject) = 0;
  virtual Status record_phase(const PhaseRecord& record) = 0;
  virtual Result<std::vector<PhaseRecord>> phases() = 0;

  // What the results were made with, a JSON document of the program's; empty: none were made yet.
  virtual Result<std::string> result_settings() = 0;
  virtual Status record_result_settings(const std::string& json) = 0;

  // What last went wrong, JSON {"phase", "subject", "text", "at"}; empty: nothing.
  virtual Result<std::string> last_error() = 0;
  virtual Status set_last_error(const std::string& json) = 0;

  // complete, incomplete; and sealed (archived) runs refuse every write. Sealing is for good.
  virtual Result<std::string> state() = 0;
  virtual Status set_state(const std::string& state) = 0;

  // At the recorded place of an arm of the plan, by arm_id; Code::not_found for any other.
  virtual Result<std::unique_ptr<class ArmStore>> open_arm(const ArmSpec& arm) = 0;
  virtual Result<std::unique_ptr<class ArmStore>> open_arm_read_only(const ArmSpec& arm) = 0;

  // SQLite's integrity checks of run.sqlite.
  virtual Status verify() = 0;
  // Every pinned item that makes no sense, and every set that is not the one its hash names.
  virtual Status find_damaged_items(const DifferenceSink& found) = 0;

  // Throughput of earlier runs is kept beside the runs (experiments/throughput.json).
};

// Writes a file that others rendered, atomically. Returns its SHA-256. Code::state in the folder of
// a sealed run.
Result<std::string> put_artifact(const std::filesystem::path& path, std::string_view bytes);
// Code::state where `path` lies in the folder of a sealed run (one with SHA256SUMS beside
// run.sqlite).
Status check_not_sealed(const std::filesystem::path& path);

// Seal: verifies every store, sets the state "sealed", then writes SHA256SUMS (sha256sum -c reads
// it) over every file of the run, itself, locks and SQLite's side files excluded, and takes the
// right to write from those files and from itself; folders keep theirs. No arm may be open for
// writing. A run that is sealed already is left alone; one whose sealing was cut off is finished.
Status seal_run(RunStore& run);

// Holds a sealed run against its SHA256SUMS: files that differ, that are missing and that are
// extra. Returns how many files were compared. Code::io: the sums cannot be read.
Result<std::int64_t> check_seal(const std::filesystem::path& run_folder,
                                const DifferenceSink& found);
// The same; Code::data names the first difference, Code::state: the run is not sealed.
Status check_seal(const std::filesystem::path& run_folder);

}  // namespace promptsweep
