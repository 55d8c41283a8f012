// SPDX-License-Identifier: Apache-2.0
#include "cli/verify_run.h"

#include <memory>
#include <optional>
#include <utility>

#include "analysis/verify.h"
#include "base/digest.h"
#include "cli/result_files.h"
#include "cli/result_settings.h"
#include "run/manifest.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

// More of one file says no more.
constexpr std::int64_t kept_differences = 20;

class RunCheck {
 public:
  RunCheck(RunStore& run, const std::filesystem::path& scratch)
      : run_(run),
        scratch_(scratch),
        folder_(run.folder()),
        found_([this](Difference difference) { keep(std::move(difference)); }) {}

  Result<VerifyReport> check() {
    const std::string store = (folder_ / "run.sqlite").string();
    if (Status sound = run_.verify(); !sound) problem(store, sound.error());
    Result<std::string> state = run_.state();
    if (!state) problem(store, state.error());
    report_.state = state ? *state : "unreadable";
    check_seal_of_run();
    Result<RunPlan> plan = run_.plan();
    if (!plan && plan.error().code == Code::state) return std::move(plan).error();
    if (!plan) {
      problem(store, plan.error());
      return std::move(report_);
    }
    plan_ = *std::move(plan);
    report_.run_id = plan_.run_id;
    check_configuration();
    if (Status read = run_.find_damaged_items(found_); !read) problem(store, read.error());
    read_settings(store);
    check_arms();
    verify_recorded_files(run_, report_.counts, found_);
    if (settings_) check_results();
    check_manifests();
    return std::move(report_);
  }

 private:
  bool finished() const { return report_.state != "incomplete"; }

  void keep(Difference difference) {
    const std::filesystem::path path(difference.file);
    if (path.is_absolute()) difference.file = path.lexically_relative(folder_).generic_string();
    ++report_.difference_count;
    if (++kept_[difference.file] > kept_differences) return;
    report_.differences.push_back(std::move(difference));
  }

  void problem(const std::string& file, const Error& error) {
    found_({file, "", error.text, "", ""});
  }

  void check_seal_of_run() {
    const std::filesystem::path sums = folder_ / "SHA256SUMS";
    std::error_code failed;
    const bool there = std::filesystem::exists(sums, failed);
    if (!there && report_.state == "sealed") {
      found_({sums.string(), "", "the run is sealed and has no SHA256SUMS", "", ""});
    }
    if (!there) return;
    const Result<std::int64_t> compared = check_seal(folder_, found_);
    if (!compared) return problem(sums.string(), compared.error());
    report_.sealed_files = *compared;
  }

  void check_configuration() {
    const std::string sha256 = sha256_hex(plan_.effective_config);
    if (sha256 != plan_.config_sha256) {
      found_({(folder_ / "run.sqlite").string(), "effective_config",
              "the recorded configuration is not the one that its hash names", plan_.config_sha256,
              sha256});
    }
    compare(folder_ / "effective_config.yaml", plan_.effective_config);
  }

  void compare(const std::filesystem::path& stored, const std::string& made) {
    ++report_.rendered_files;
    if (Status read = compare_text(stored, made, found_); !read) {
      problem(stored.string(), read.error());
    }
  }

  void read_settings(const std::string& store) {
    const Result<std::string> text = run_.result_settings();
    if (!text) return problem(store, text.error());
    if (text->empty()) {
      if (finished()) {
        found_({store, "result_settings",
                "there is no record of what the results were made with: they cannot be made again",
                "", ""});
      } else {
        report_.notes.emplace_back(
            "no results were made yet; scores and reports were not compared");
      }
      return;
    }
    settings_ = result_settings_from_json(*text);
    if (!settings_) {
      found_({store, "result_settings", "the record makes no sense", excerpt(*text, 0), ""});
      return;
    }
    if (settings_->program_version != PROMPTSWEEP_VERSION) {
      report_.notes.push_back("the results were made by promptsweep " + settings_->program_version +
                              ", this is " + PROMPTSWEEP_VERSION +
                              ": a difference may be the program's");
    }
    if (settings_->scoring == scoring_version) return;
    found_({store, "result_settings",
            "scored by another version of the rules than this program has: scores and reports "
            "cannot be made again",
            std::to_string(settings_->scoring), std::to_string(scoring_version)});
    settings_.reset();
  }

  void check_arms() {
    VerifyRules rules;
    rules.scoring = settings_ ? &settings_->rules : nullptr;
    rules.must_be_current = finished();
    for (const ArmSpec& arm : plan_.arms) {
      const Result<std::unique_ptr<ItemSource>> items = run_.items_of(arm.arm_id);
      if (!items) problem((folder_ / "run.sqlite").string(), items.error());
      verify_arm(run_, plan_, arm, items ? items->get() : nullptr, rules, report_.counts, found_);
    }
  }

  // The CSV files, the statistics, the costs and the reports, made again from the stores.
  void check_results() {
    const Result<std::unique_ptr<ItemSource>> items = run_.items();
    if (!items) return problem((folder_ / "run.sqlite").string(), items.error());
    report_.items = (*items)->size();
    ResultFiles files(run_, plan_, *settings_);
    const Result<std::vector<ResultFile>> rows = files.row_exports();
    if (!rows) return cannot_make("results", rows.error());
    for (const ResultFile& file : *rows) check_file(file);
    if (Status analysed = files.analyze(); !analysed) {
      return cannot_make("the analysis", analysed.error());
    }
    const Result<std::vector<ResultFile>> reports = files.reports();
    if (!reports) return cannot_make("reports", reports.error());
    for (const ResultFile& file : *reports) check_file(file);
  }

  // In an unfinished run some answers may have no score yet: nothing can be made from them.
  void cannot_make(const std::string& what, const Error& error) {
    if (error.code == Code::state && !finished()) {
      report_.notes.push_back(what + " were not compared: " + error.text);
    } else {
      found_({".", "", what + " cannot be made again: " + error.text, "", ""});
    }
  }

  void check_file(const ResultFile& file) {
    const Result<std::optional<PhaseRecord>> record = run_.phase(file.phase, file.subject);
    if (!record) return problem((folder_ / "run.sqlite").string(), record.error());
    if (!*record || (*record)->input_hash != file.input_hash) {
      if (finished()) {
        found_({file.path, "", "made from other answers or settings than the run holds",
                *record ? (*record)->input_hash : "", file.input_hash});
      } else {
        report_.notes.push_back(file.path + " is older than the stored answers; not compared");
      }
      return;
    }
    const std::filesystem::path made = scratch_ / "made";
    const Result<std::string> sha256 = file.make(made);
    if (!sha256) return cannot_make(file.path, sha256.error());
    ++report_.rendered_files;
    if (Status read = compare_files(folder_ / file.path, made, file.id_columns, found_); !read) {
      problem(file.path, read.error());
    }
    std::error_code ignored;
    std::filesystem::remove(made, ignored);
  }

  void check_manifests() {
    if (!finished()) return;
    const Result<std::vector<ArmState>> states = arm_states(run_, plan_);
    if (!states) return cannot_make("manifests", states.error());
    for (const TrialSpec& trial : plan_.trials) {
      if (trial.superseded) continue;
      compare(folder_ / trial.slug / "trial_manifest.json",
              trial_manifest_json(plan_, trial, *states));
    }
    const Result<RunRecord> record = run_record(run_);
    if (!record) return cannot_make("manifests", record.error());
    compare(folder_ / "multi_trial_manifest.json",
            multi_trial_manifest_json(plan_, *states, *record));
  }

  RunStore& run_;
  const std::filesystem::path scratch_;
  const std::filesystem::path folder_;
  const DifferenceSink found_;
  VerifyReport report_;
  std::map<std::string, std::int64_t> kept_;  // by file
  RunPlan plan_;
  std::optional<ResultSettings> settings_;
};

}  // namespace

Result<VerifyReport> verify_run(const std::filesystem::path& run_folder,
                                const std::filesystem::path& scratch) {
  // One spelling, so that every file can be told relative to it.
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::weakly_canonical(run_folder, failed);
  Result<std::unique_ptr<RunStore>> run = RunStore::open_immutable(failed ? run_folder : folder);
  if (run) return RunCheck(**run, scratch).check();
  if (run.error().code != Code::data) return std::move(run).error();
  // Damage that keeps the run from being opened.
  VerifyReport report;
  report.state = "unreadable";
  report.difference_count = 1;
  report.differences.push_back({"run.sqlite", "", run.error().text, "", ""});
  return report;
}

}  // namespace promptsweep
