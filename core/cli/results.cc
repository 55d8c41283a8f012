// SPDX-License-Identifier: Apache-2.0
#include "cli/results.h"

#include "analysis/analyze.h"
#include "analysis/trial_data.h"
#include "base/digest.h"
#include "report/json.h"
#include "report/markdown.h"
#include "run/manifest.h"
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

// Everything that stored answers and scores are, as one hash: results are never replaced, so an arm
// and its number of accepted results name the answers, and the scores' own hash names the scores.
Result<std::string> state_hash(RunStore& run, const RunPlan& plan) {
  FieldHash hash;
  for (const ArmSpec& arm : plan.arms) {
    Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(arm);
    if (!store) return std::move(store).error();
    Result<ArmProgress> progress = (*store)->progress();
    if (!progress) return std::move(progress).error();
    Result<std::string> scores = (*store)->scores_input_hash();
    if (!scores) return std::move(scores).error();
    hash.add(arm.arm_id).add(progress->accepted).add(*scores);
  }
  return sha256_hex(hash.bytes());
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

class ResultMaker {
 public:
  ResultMaker(RunStore& run, const RunPlan& plan, const SweepConfig& config,
              const std::map<std::string, PluginInfo>& plugins,
              const std::vector<EngineSummary>& engines, Observer& observer)
      : run_(run),
        plan_(plan),
        config_(config),
        options_(analysis_options(config)),
        quotes_(price_quotes(config, plan, plugins)),
        engines_(engines),
        observer_(observer) {}

  Result<RunFindings> make() {
    if (Status scored = score_arms(run_, plan_, scoring_rules(config_), observer_); !scored) {
      return std::move(scored).error();
    }
    Result<std::string> state = state_hash(run_, plan_);
    if (!state) return std::move(state).error();
    state_ = *state;
    if (Status exported = run_phases(run_, row_exports(), observer_); !exported)
      return std::move(exported).error();
    if (Status found = find(); !found) return std::move(found).error();
    if (Status reported = run_phases(run_, reports(), observer_); !reported)
      return std::move(reported).error();
    Result<std::vector<ArmState>> states = arm_states(run_, plan_);
    if (!states) return std::move(states).error();
    if (Status written = write_manifests(run_, plan_, *states); !written)
      return std::move(written).error();
    return std::move(findings_);
  }

 private:
  std::string phase_hash(std::string_view phase, std::string_view subject) const {
    FieldHash hash;
    hash.add(phase).add(subject).add(state_).add(PROMPTSWEEP_VERSION);
    if (phase != "parse" && phase != "score") add_options(hash, options_);
    if (phase == "costs" || phase == "report") add_quotes(hash, quotes_);
    return sha256_hex(hash.bytes());
  }

  // What its arms were planned with: the same for all of them.
  Result<std::unique_ptr<ItemSource>> items_of(const TrialSpec& trial) {
    for (const ArmPair& pair : trial.pairs) {
      for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
        if (!id.empty()) return run_.items_of(id);
      }
    }
    return run_.items();
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
                          const auto items = items_of(trial);
                          if (!items) return items.error();
                          Result<std::string> sha256 =
                              export_item_scores(path, arms->arms, **items);
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

  std::vector<Phase> reports() {
    std::vector<Phase> phases;
    for (const TrialFindings& trial : findings_.trials) {
      const std::filesystem::path folder = run_.folder() / trial.slug;
      phases.push_back({"stats", trial.slug, phase_hash("stats", trial.slug), [&trial, folder] {
                          return put(folder / "results" / "significance.json",
                                     trial_significance_json(trial));
                        }});
      phases.push_back(
          {"costs", trial.slug, phase_hash("costs", trial.slug), [this, &trial, folder] {
             return put(folder / "results" / "costs.json", trial_costs_json(trial, findings_));
           }});
      phases.push_back({"report", trial.slug, phase_hash("report", trial.slug), [&trial, folder] {
                          return put(folder / "reports" / "report.md", trial_markdown(trial));
                        }});
    }
    const std::filesystem::path top = run_.folder();
    phases.push_back({"stats", "run", phase_hash("stats", "run"), [this, top] {
                        return put(top / "significance.json", run_significance_json(findings_));
                      }});
    phases.push_back({"costs", "run", phase_hash("costs", "run"),
                      [this, top] { return put(top / "costs.json", run_costs_json(findings_)); }});
    phases.push_back({"report", "run", phase_hash("report", "run"), [this, top] {
                        return put(top / "aggregate_report.md", aggregate_markdown(findings_));
                      }});
    return phases;
  }

  RunStore& run_;
  const RunPlan& plan_;
  const SweepConfig& config_;
  const AnalysisOptions options_;
  const std::map<std::string, PriceQuote> quotes_;
  const std::vector<EngineSummary>& engines_;
  Observer& observer_;
  std::string state_;
  RunFindings findings_;
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

Result<RunFindings> make_results(RunStore& run, const RunPlan& plan, const SweepConfig& config,
                                 const std::map<std::string, PluginInfo>& plugins,
                                 const std::vector<EngineSummary>& engines, Observer& observer) {
  return ResultMaker(run, plan, config, plugins, engines, observer).make();
}

}  // namespace promptsweep
