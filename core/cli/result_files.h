// SPDX-License-Identifier: Apache-2.0
// The files of a run's results as functions of its stores and settings: which there are, what each
// is made from, and its bytes. Where they go is the caller's: `run` writes them into the run,
// `verify` beside it and compares.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "base/result.h"
#include "cli/result_settings.h"
#include "records/item_source.h"
#include "records/plan.h"
#include "store/run_store.h"

namespace promptsweep {

struct ResultFile {
  std::string phase;    // parse, score, stats, costs, report
  std::string subject;  // trial slug, or "run"
  std::string path;     // relative to the run folder
  std::string input_hash;
  // The columns that name a row of a CSV; empty for other files.
  std::vector<std::string> id_columns;
  // Makes the file at `destination`; returns its SHA-256.
  std::function<Result<std::string>(const std::filesystem::path& destination)> make;
};

// Keeps references to its arguments. `plan` is the run's own (RunStore::plan()), superseded trials
// included. A file of scores is made only where every `ok` answer has its score.
class ResultFiles {
 public:
  ResultFiles(RunStore& run, const RunPlan& plan, const ResultSettings& settings)
      : run_(run), plan_(plan), settings_(settings) {}

  // predictions.csv and per_item_scores.csv of every trial that is not superseded.
  Result<std::vector<ResultFile>> row_exports();
  // Analyses the run, once; the findings stay here.
  Status analyze();
  // significance.json, costs.json and reports of trials and run; the first that is made analyses.
  Result<std::vector<ResultFile>> reports();
  const RunFindings& findings() const { return findings_; }
  // REQUIRES: row_exports() or reports() succeeded.
  std::string input_hash(std::string_view phase, std::string_view subject) const;

 private:
  Status read_state();
  ResultFile of_trial(const std::string& phase, const TrialSpec& trial, const std::string& path,
                      std::string (*render)(const TrialFindings&, const RunFindings&));
  ResultFile of_run(const std::string& phase, const std::string& path,
                    std::string (*render)(const RunFindings&));
  ResultFile rows_of(const TrialSpec& trial, const std::string& phase);
  Result<std::unique_ptr<ItemSource>> items_of(const TrialSpec& trial);

  RunStore& run_;
  const RunPlan& plan_;
  const ResultSettings& settings_;
  // Hashes of what the stores hold; empty: not read yet.
  std::string answers_, scores_;
  RunFindings findings_;
  bool analyzed_ = false;
};

}  // namespace promptsweep
