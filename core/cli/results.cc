// SPDX-License-Identifier: Apache-2.0
#include "cli/results.h"

#include "analysis/analyze.h"
#include "analysis/trial_data.h"
#include "base/digest.h"
#include "report/json.h"
#include "report/markdown.h"
#include "run/phase.h"
#include "run/score_pass.h"
#include "store/arm_store.h"
#include "store/exports.h"

namespace promptsweep {

AnalysisOptions analysis_options(const SweepConfig& config) {
  AnalysisOptions out;
  out.bootstrap_samples = config.stats.bootstrap_samples;
  out.permutation_samples = config.stats.permutation_samples;
  out.random_seed = config.stats.random_seed;
  out.enable_permutation = config.stats.enable_permutation;
  out.enable_fdr = config.stats.enable_fdr;
  out.tost_alpha = config.stats.tost_alpha;
  out.tost_margins = config.stats.tost_margins;
  out.behaviour_outcomes = config.behaviour_outcomes == "score_as_wrong"
                               ? BehaviourOutcomes::score_as_wrong
                               : BehaviourOutcomes::exclude;
  return out;
}

ScoringRules scoring_rules(const SweepConfig& config) {
  ScoringRules rules;
  rules.abstention_phrases = config.abstention_phrases;
  rules.unsupported.strategy = config.unsupported.strategy == "overlap"
                                   ? UnsupportedRule::Strategy::overlap
                                   : UnsupportedRule::Strategy::baseline;
  rules.unsupported.min_token_overlap = config.unsupported.min_token_overlap;
  rules.unsupported_threshold = config.unsupported.threshold;
  return rules;
}

namespace {

PriceQuote quote_for(const SweepConfig& config, const EngineSpec& engine,
                     const PluginInfo* plugin) {
  PriceQuote quote;
  if (plugin != nullptr && !plugin->facts.remote) {
    quote.reason = "a local engine has no price per token";
    return quote;
  }
  std::string key = engine.model;
  for (const ModelEntry& model : config.models) {
    if (model.id == engine.model && !model.pricing_key.empty()) key = model.pricing_key;
  }
  quote.batch = config.use_batch_api;
  const PricingConfig& pricing = config.pricing;
  if (const auto provider = pricing.providers.find(engine.backend);
      provider != pricing.providers.end()) {
    if (const auto row = provider->second.find(key); row != provider->second.end()) {
      const Price& price = row->second;
      quote.price =
          TokenPrice{price.input_per_mtok, price.output_per_mtok, price.input_per_mtok_batch,
                     price.output_per_mtok_batch, price.batch_discount};
      if (!quote.price->batch_multiplier) quote.price->batch_multiplier = pricing.batch_discount;
      quote.source = "pricing." + engine.backend + "." + key;
      return quote;
    }
  }
  if (pricing.input_per_million && pricing.output_per_million) {
    quote.price = TokenPrice{
        *pricing.input_per_million, *pricing.output_per_million, {}, {}, pricing.batch_discount};
    quote.source = "pricing.input_per_million, pricing.output_per_million";
    return quote;
  }
  quote.reason = "no price is configured for " + key;
  return quote;
}

// Everything that the stored answers are, and what their scores are made from, each as one hash:
// results are never replaced, so an arm and its number of accepted results name the answers.
struct StateHashes {
  std::string answers, scores;
  std::int64_t accepted = 0;
};

Result<StateHashes> state_hashes(RunStore& run, const RunPlan& plan, const ScoringRules& rules) {
  FieldHash answers, scores;
  StateHashes out;
  for (const ArmSpec& arm : plan.arms) {
    Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
    if (!store) return std::move(store).error();
    Result<ArmProgress> progress = (*store)->progress();
    if (!progress) return std::move(progress).error();
    answers.add(arm.arm_id).add(progress->accepted);
    scores.add(arm.arm_id).add(scores_hash(arm, *progress, rules));
    out.accepted += progress->accepted;
  }
  out.answers = sha256_hex(answers.bytes());
  out.scores = sha256_hex(scores.bytes());
  return out;
}

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

Result<std::vector<PhaseOutput>> put(const std::filesystem::path& path, const std::string& text) {
  Result<std::string> sha256 = put_artifact(path, text);
  if (!sha256) return std::move(sha256).error();
  return std::vector<PhaseOutput>{{path, *sha256}};
}

class ResultMaker final : public ResultStages {
 public:
  explicit ResultMaker(const ResultInputs& inputs)
      : run_(inputs.run),
        plan_(inputs.plan),
        items_(inputs.items),
        config_(inputs.config),
        options_(analysis_options(inputs.config)),
        quotes_(price_quotes(inputs.config, inputs.plan, inputs.plugins)),
        engines_(inputs.engines),
        observer_(inputs.observer) {}

  Status ready(const std::string& stage) override {
    if (stage == "parse" || stage == "score") {
      Result<StateHashes> state = state_hashes(run_, plan_, scoring_rules(config_));
      if (!state) return std::move(state).error();
      if (state->accepted > 0) return ok;
      return Error{Code::state, "the phase " + stage +
                                    " has nothing to work on: no request of this run has been "
                                    "answered yet (the phases submit and poll do that)"};
    }
    Result<bool> scored = arms_are_scored(run_, plan_, scoring_rules(config_));
    if (!scored) return std::move(scored).error();
    if (*scored) return ok;
    return Error{Code::state, "the phase " + stage +
                                  " needs scores of today's answers by today's rules (the phase "
                                  "score makes them)"};
  }

  Result<std::vector<Phase>> phases(const std::string& stage, bool again) override {
    Result<StateHashes> state = state_hashes(run_, plan_, scoring_rules(config_));
    if (!state) return std::move(state).error();
    state_ = *std::move(state);
    std::vector<Phase> out;
    if (stage == "score") out.push_back(scoring(again));
    for (Phase& phase : stage == "parse" || stage == "score" ? row_exports() : reports()) {
      if (phase.name == stage) out.push_back(std::move(phase));
    }
    return out;
  }

  Result<const RunFindings*> findings() override {
    if (!found_) {
      if (Status made = find(); !made) return std::move(made).error();
      found_ = true;
    }
    return &findings_;
  }

 private:
  std::string phase_hash(std::string_view phase, std::string_view subject) const {
    FieldHash hash;
    hash.add(phase).add(subject).add(PROMPTSWEEP_VERSION);
    hash.add(phase == "parse" ? state_.answers : state_.scores);
    if (phase != "parse" && phase != "score") add_options(hash, options_);
    if (phase == "costs" || phase == "report") add_quotes(hash, quotes_);
    return sha256_hex(hash.bytes());
  }

  Phase scoring(bool again) {
    return {"score", "run", phase_hash("score", "run"),
            [this, again]() -> Result<std::vector<PhaseOutput>> {
              Status scored = score_arms(run_, plan_, scoring_rules(config_), observer_, again);
              if (!scored) return std::move(scored).error();
              return std::vector<PhaseOutput>();
            },
            [this] { return arms_are_scored(run_, plan_, scoring_rules(config_)); }};
  }

  std::vector<Phase> row_exports() {
    std::vector<Phase> phases;
    for (const TrialSpec& trial : plan_.trials) {
      if (trial.superseded) continue;
      const std::filesystem::path results = run_.folder() / trial.slug / "results";
      phases.push_back({"parse", trial.slug, phase_hash("parse", trial.slug),
                        [this, &trial, results]() -> Result<std::vector<PhaseOutput>> {
                          Result<OpenArms> arms = open_arms(run_, plan_, trial);
                          if (!arms) return std::move(arms).error();
                          const std::filesystem::path path = results / "predictions.csv";
                          Result<std::string> sha256 = export_predictions(path, arms->arms);
                          if (!sha256) return std::move(sha256).error();
                          return std::vector<PhaseOutput>{{path, *sha256}};
                        }});
      phases.push_back({"score", trial.slug, phase_hash("score", trial.slug),
                        [this, &trial, results]() -> Result<std::vector<PhaseOutput>> {
                          Result<OpenArms> arms = open_arms(run_, plan_, trial);
                          if (!arms) return std::move(arms).error();
                          const std::filesystem::path path = results / "per_item_scores.csv";
                          Result<std::string> sha256 = export_item_scores(path, arms->arms, items_);
                          if (!sha256) return std::move(sha256).error();
                          return std::vector<PhaseOutput>{{path, *sha256}};
                        }});
    }
    return phases;
  }

  Status find() {
    TrialLoader loader(run_, plan_, options_);
    std::vector<TrialFindings> trials;
    for (const TrialSpec& trial : plan_.trials) {
      Result<TrialData> data = loader.load(trial);
      if (!data) return std::move(data).error().in(trial.slug);
      trials.push_back(analyze_trial(*data, options_));
      for (const EngineSummary& engine : engines_) {
        if (engine.engine_id != trial.engine_id || engine.seconds <= 0 || engine.accepted_now == 0)
          continue;
        trials.back().items_per_minute =
            60.0 * static_cast<double>(engine.accepted_now) / engine.seconds;
      }
    }
    findings_ = correct_over_sweep(std::move(trials), options_);
    findings_.run_id = plan_.run_id;
    Result<std::vector<ArmUsage>> usage = loader.usage();
    if (!usage) return std::move(usage).error();
    attach_costs(findings_, run_cost(plan_, *usage, quotes_));
    return ok;
  }

  // What `render` makes of a trial's findings, which are made when the first phase executes.
  template <class Render>
  Phase trial_phase(const char* name, const TrialSpec& trial, const char* path,
                    const Render& render) {
    const std::filesystem::path file = run_.folder() / trial.slug / path;
    return {name, trial.slug, phase_hash(name, trial.slug),
            [this, file, render, slug = trial.slug]() -> Result<std::vector<PhaseOutput>> {
              Result<const RunFindings*> found = findings();
              if (!found) return std::move(found).error();
              for (const TrialFindings& one : (*found)->trials) {
                if (one.slug == slug) return put(file, render(one));
              }
              return Error{Code::internal, "nothing was found of trial " + slug};
            }};
  }

  Phase run_phase(const char* name, const char* path, std::string (*render)(const RunFindings&)) {
    const std::filesystem::path file = run_.folder() / path;
    return {name, "run", phase_hash(name, "run"),
            [this, file, render]() -> Result<std::vector<PhaseOutput>> {
              Result<const RunFindings*> found = findings();
              if (!found) return std::move(found).error();
              return put(file, render(**found));
            }};
  }

  std::vector<Phase> reports() {
    std::vector<Phase> phases;
    for (const TrialSpec& trial : plan_.trials) {
      if (trial.superseded) continue;
      phases.push_back(trial_phase(
          "stats", trial, "results/significance.json",
          [](const TrialFindings& findings) { return trial_significance_json(findings); }));
      phases.push_back(trial_phase(
          "costs", trial, "results/costs.json",
          [this](const TrialFindings& findings) { return trial_costs_json(findings, findings_); }));
      phases.push_back(trial_phase("report", trial, "reports/report.md", &trial_markdown));
    }
    phases.push_back(run_phase("stats", "significance.json", &run_significance_json));
    phases.push_back(run_phase("costs", "costs.json", &run_costs_json));
    phases.push_back(run_phase("report", "aggregate_report.md", &aggregate_markdown));
    return phases;
  }

  RunStore& run_;
  const RunPlan& plan_;
  const std::vector<Item>& items_;
  const SweepConfig& config_;
  const AnalysisOptions options_;
  const std::map<std::string, PriceQuote> quotes_;
  const std::vector<EngineSummary>& engines_;
  Observer& observer_;
  StateHashes state_;
  RunFindings findings_;
  bool found_ = false;
};

}  // namespace

std::map<std::string, PriceQuote> price_quotes(const SweepConfig& config, const RunPlan& plan,
                                               const std::map<std::string, PluginInfo>& plugins) {
  std::map<std::string, PriceQuote> out;
  for (const EngineSpec& engine : plan.engines) {
    const auto plugin = plugins.find(engine.backend);
    out[engine.engine_id] =
        quote_for(config, engine, plugin == plugins.end() ? nullptr : &plugin->second);
  }
  return out;
}

std::unique_ptr<ResultStages> make_result_stages(const ResultInputs& inputs) {
  return std::make_unique<ResultMaker>(inputs);
}

}  // namespace promptsweep
