// SPDX-License-Identifier: Apache-2.0
#include "cli/result_files.h"

#include <utility>

#include "analysis/analyze.h"
#include "analysis/trial_data.h"
#include "base/digest.h"
#include "report/json.h"
#include "report/markdown.h"
#include "run/score_pass.h"
#include "store/arm_store.h"
#include "store/exports.h"

namespace promptsweep {
namespace {

void add_options(FieldHash& hash, const AnalysisOptions& options) {
  hash.add(std::int64_t{options.bootstrap_samples}).add(std::int64_t{options.permutation_samples});
  hash.add(std::to_string(options.random_seed)).add(std::int64_t{options.enable_permutation});
  hash.add(std::int64_t{options.enable_fdr}).add(format_number(options.conf_level));
  hash.add(format_number(options.alpha)).add(format_number(options.tost_alpha));
  for (const auto& [metric, margin] : options.tost_margins)
    hash.add(metric).add(format_number(margin));
  hash.add(to_string(options.behaviour_outcomes));
  for (const std::string& metric : options.primary_metrics) hash.add(metric);
}

void add_speeds(FieldHash& hash, const std::map<std::string, EngineSpeed>& speeds) {
  for (const auto& [engine, speed] : speeds) {
    hash.add(engine).add(speed.accepted).add(format_number(speed.seconds));
  }
}

void add_quotes(FieldHash& hash, const std::map<std::string, PriceQuote>& quotes) {
  for (const auto& [engine, quote] : quotes) {
    hash.add(engine).add(quote.reason).add(quote.source).add(std::int64_t{quote.batch});
    if (!quote.price) continue;
    hash.add(format_number(quote.price->input_per_mtok))
        .add(format_number(quote.price->output_per_mtok));
    for (const auto& rate : {quote.price->input_per_mtok_batch, quote.price->output_per_mtok_batch,
                             quote.price->batch_multiplier}) {
      hash.add(rate ? format_number(*rate) : "-");
    }
  }
}

// Stores of a trial's arms, open for as long as an export runs.
struct OpenArms {
  std::vector<std::unique_ptr<ArmStore>> stores;
  std::vector<TrialArm> arms;
};

Result<OpenArms> open_arms(RunStore& run, const RunPlan& plan, const TrialSpec& trial) {
  OpenArms out;
  for (const ArmPair& pair : trial.pairs) {
    for (const auto& [id, condition] : {std::pair{pair.control_arm_id, Condition::control},
                                        std::pair{pair.treatment_arm_id, Condition::treatment}}) {
      if (id.empty()) continue;
      const ArmSpec* arm = find_arm(plan, id);
      if (arm == nullptr) return Error{Code::data, "the plan has no arm " + id};
      Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(*arm);
      if (!store) return std::move(store).error();
      out.stores.push_back(std::move(store).value());
      out.arms.push_back({condition, pair.temperature, out.stores.back().get()});
    }
  }
  return out;
}

}  // namespace

// Results are never replaced, so an arm and its number of accepted results name its answers, and
// with the rules the scores that belong to them.
Status ResultFiles::read_state() {
  if (!answers_.empty()) return ok;
  FieldHash answers, scores;
  for (const ArmSpec& arm : plan_.arms) {
    Result<std::unique_ptr<ArmStore>> store = run_.open_arm_read_only(arm);
    if (!store) return std::move(store).error();
    Result<ArmProgress> progress = (*store)->progress();
    if (!progress) return std::move(progress).error();
    answers.add(arm.arm_id).add(progress->accepted);
    scores.add(arm.arm_id).add(scores_hash(arm, *progress, settings_.rules));
  }
  answers_ = sha256_hex(answers.bytes());
  scores_ = sha256_hex(scores.bytes());
  return ok;
}

std::string ResultFiles::input_hash(std::string_view phase, std::string_view subject) const {
  FieldHash hash;
  hash.add(phase).add(subject).add(phase == "parse" ? answers_ : scores_);
  hash.add(settings_.program_version);
  if (phase != "parse" && phase != "score") add_options(hash, settings_.options);
  if (phase == "costs" || phase == "report") add_quotes(hash, settings_.quotes);
  if (phase == "report") add_speeds(hash, settings_.speeds);
  return sha256_hex(hash.bytes());
}

// What its arms were planned with: the same for all of them.
Result<std::unique_ptr<ItemSource>> ResultFiles::items_of(const TrialSpec& trial) {
  for (const ArmPair& pair : trial.pairs) {
    for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
      if (!id.empty()) return run_.items_of(id);
    }
  }
  return run_.items();
}

ResultFile ResultFiles::rows_of(const TrialSpec& trial, const std::string& phase) {
  const bool predictions = phase == "parse";
  ResultFile file;
  file.phase = phase;
  file.subject = trial.slug;
  file.path = trial.slug + "/results/" + (predictions ? "predictions.csv" : "per_item_scores.csv");
  file.input_hash = input_hash(phase, trial.slug);
  file.id_columns = predictions ? std::vector<std::string>{"custom_id"}
                                : std::vector<std::string>{"item_key", "condition", "temp"};
  file.make = [this, &trial, predictions](const std::filesystem::path& to) -> Result<std::string> {
    Result<OpenArms> arms = open_arms(run_, plan_, trial);
    if (!arms) return std::move(arms).error();
    if (predictions) return export_predictions(to, arms->arms);
    const Result<std::unique_ptr<ItemSource>> items = items_of(trial);
    if (!items) return items.error();
    return export_item_scores(to, arms->arms, **items);
  };
  return file;
}

Result<std::vector<ResultFile>> ResultFiles::row_exports() {
  if (Status read = read_state(); !read) return std::move(read).error();
  std::vector<ResultFile> files;
  for (const TrialSpec& trial : plan_.trials) {
    if (trial.superseded) continue;
    files.push_back(rows_of(trial, "parse"));
    files.push_back(rows_of(trial, "score"));
  }
  return files;
}

Status ResultFiles::analyze() {
  if (analyzed_) return ok;
  TrialLoader loader(run_, plan_, settings_.options);
  std::vector<TrialFindings> trials;
  for (const TrialSpec& trial : plan_.trials) {
    Result<TrialData> data = loader.load(trial);
    if (!data) return std::move(data).error().in(trial.slug);
    trials.push_back(analyze_trial(*data, settings_.options));
    const auto speed = settings_.speeds.find(trial.engine_id);
    if (speed == settings_.speeds.end() || speed->second.seconds <= 0) continue;
    trials.back().items_per_minute =
        60.0 * static_cast<double>(speed->second.accepted) / speed->second.seconds;
  }
  findings_ = correct_over_sweep(std::move(trials), settings_.options);
  findings_.run_id = plan_.run_id;
  Result<std::vector<ArmUsage>> usage = loader.usage();
  if (!usage) return std::move(usage).error();
  attach_costs(findings_, run_cost(plan_, *usage, settings_.quotes));
  analyzed_ = true;
  return ok;
}

ResultFile ResultFiles::of_trial(const std::string& phase, const TrialSpec& trial,
                                 const std::string& path,
                                 std::string (*render)(const TrialFindings&, const RunFindings&)) {
  return {
      phase,
      trial.slug,
      trial.slug + "/" + path,
      input_hash(phase, trial.slug),
      {},
      [this, render, slug = trial.slug](const std::filesystem::path& to) -> Result<std::string> {
        if (Status found = analyze(); !found) return std::move(found).error();
        for (const TrialFindings& one : findings_.trials) {
          if (one.slug == slug) return put_artifact(to, render(one, findings_));
        }
        return Error{Code::internal, "nothing was found of trial " + slug};
      }};
}

ResultFile ResultFiles::of_run(const std::string& phase, const std::string& path,
                               std::string (*render)(const RunFindings&)) {
  return {phase,
          "run",
          path,
          input_hash(phase, "run"),
          {},
          [this, render](const std::filesystem::path& to) -> Result<std::string> {
            if (Status found = analyze(); !found) return std::move(found).error();
            return put_artifact(to, render(findings_));
          }};
}

Result<std::vector<ResultFile>> ResultFiles::reports() {
  if (Status read = read_state(); !read) return std::move(read).error();
  std::vector<ResultFile> files;
  for (const TrialSpec& trial : plan_.trials) {
    if (trial.superseded) continue;
    files.push_back(of_trial("stats", trial, "results/significance.json",
                             [](const TrialFindings& found, const RunFindings&) {
                               return trial_significance_json(found);
                             }));
    files.push_back(of_trial("costs", trial, "results/costs.json", &trial_costs_json));
    files.push_back(of_trial(
        "report", trial, "reports/report.md",
        [](const TrialFindings& found, const RunFindings&) { return trial_markdown(found); }));
  }
  files.push_back(of_run("stats", "significance.json", &run_significance_json));
  files.push_back(of_run("costs", "costs.json", &run_costs_json));
  files.push_back(of_run("report", "aggregate_report.md", &aggregate_markdown));
  return files;
}

}  // namespace promptsweep
