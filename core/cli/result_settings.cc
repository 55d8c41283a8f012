// SPDX-License-Identifier: Apache-2.0
#include "cli/result_settings.h"

#include <nlohmann/json.hpp>

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

using nlohmann::json;

// A batch service that is asked one request at a time bills its standard price.
bool asks_in_real_time(const EngineSpec& engine) {
  const json options = json::parse(engine.options_json, nullptr, false);
  return options.is_object() && options.value("mode", json()) == json("realtime");
}

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
  // Only what outlives this process is a batch service.
  const bool is_batch_service = plugin == nullptr || plugin->facts.resumes;
  quote.batch = config.use_batch_api && is_batch_service && !asks_in_real_time(engine);
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
  // The price for everything is a cloud's: a server of one's own is priced where it is named.
  if (is_batch_service && pricing.input_per_million && pricing.output_per_million) {
    quote.price = TokenPrice{
        *pricing.input_per_million, *pricing.output_per_million, {}, {}, pricing.batch_discount};
    quote.source = "pricing.input_per_million, pricing.output_per_million";
    return quote;
  }
  quote.reason = "no price is configured for " + key + " (pricing.providers." + engine.backend +
                 "." + key + ")";
  return quote;
}

json number(const std::optional<double>& value) { return value ? json(*value) : json(); }

std::optional<double> number_from(const json& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

json options_json(const AnalysisOptions& o) {
  return {{"bootstrap_samples", o.bootstrap_samples},
          {"permutation_samples", o.permutation_samples},
          {"random_seed", o.random_seed},
          {"enable_permutation", o.enable_permutation},
          {"enable_fdr", o.enable_fdr},
          {"conf_level", o.conf_level},
          {"alpha", o.alpha},
          {"tost_alpha", o.tost_alpha},
          {"tost_margins", o.tost_margins},
          {"behaviour_outcomes", to_string(o.behaviour_outcomes)},
          {"primary_metrics", o.primary_metrics}};
}

AnalysisOptions options_from(const json& from) {
  AnalysisOptions o;
  from.at("bootstrap_samples").get_to(o.bootstrap_samples);
  from.at("permutation_samples").get_to(o.permutation_samples);
  from.at("random_seed").get_to(o.random_seed);
  from.at("enable_permutation").get_to(o.enable_permutation);
  from.at("enable_fdr").get_to(o.enable_fdr);
  from.at("conf_level").get_to(o.conf_level);
  from.at("alpha").get_to(o.alpha);
  from.at("tost_alpha").get_to(o.tost_alpha);
  from.at("tost_margins").get_to(o.tost_margins);
  from.at("primary_metrics").get_to(o.primary_metrics);
  o.behaviour_outcomes = from.at("behaviour_outcomes") == to_string(BehaviourOutcomes::exclude)
                             ? BehaviourOutcomes::exclude
                             : BehaviourOutcomes::score_as_wrong;
  return o;
}

json rules_json(const ScoringRules& rules) {
  const bool baseline = rules.unsupported.strategy == UnsupportedRule::Strategy::baseline;
  return {{"abstention_phrases", rules.abstention_phrases},
          {"unsupported_strategy", baseline ? "baseline" : "overlap"},
          {"min_token_overlap", rules.unsupported.min_token_overlap},
          {"unsupported_threshold", rules.unsupported_threshold}};
}

ScoringRules rules_from(const json& from) {
  ScoringRules rules;
  from.at("abstention_phrases").get_to(rules.abstention_phrases);
  rules.unsupported.strategy = from.at("unsupported_strategy") == "baseline"
                                   ? UnsupportedRule::Strategy::baseline
                                   : UnsupportedRule::Strategy::overlap;
  from.at("min_token_overlap").get_to(rules.unsupported.min_token_overlap);
  from.at("unsupported_threshold").get_to(rules.unsupported_threshold);
  return rules;
}

json quote_json(const PriceQuote& quote) {
  json out{{"reason", quote.reason}, {"source", quote.source}, {"batch", quote.batch}};
  if (const auto& price = quote.price) {
    out["price"] = {{"input_per_mtok", price->input_per_mtok},
                    {"output_per_mtok", price->output_per_mtok},
                    {"input_per_mtok_batch", number(price->input_per_mtok_batch)},
                    {"output_per_mtok_batch", number(price->output_per_mtok_batch)},
                    {"batch_multiplier", number(price->batch_multiplier)}};
  }
  return out;
}

PriceQuote quote_from(const json& from) {
  PriceQuote quote;
  from.at("reason").get_to(quote.reason);
  from.at("source").get_to(quote.source);
  from.at("batch").get_to(quote.batch);
  if (const auto price = from.find("price"); price != from.end()) {
    quote.price = TokenPrice{price->at("input_per_mtok").get<double>(),
                             price->at("output_per_mtok").get<double>(),
                             number_from(price->at("input_per_mtok_batch")),
                             number_from(price->at("output_per_mtok_batch")),
                             number_from(price->at("batch_multiplier"))};
  }
  return quote;
}

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

ResultSettings result_settings(const SweepConfig& config, const RunPlan& plan,
                               const std::map<std::string, PluginInfo>& plugins) {
  ResultSettings out;
  out.program_version = PROMPTSWEEP_VERSION;
  out.scoring = scoring_version;
  out.options = analysis_options(config);
  out.rules = scoring_rules(config);
  out.quotes = price_quotes(config, plan, plugins);
  return out;
}

void add_speeds(ResultSettings& settings, const std::vector<EngineSummary>& engines) {
  for (const EngineSummary& engine : engines) {
    if (engine.seconds <= 0 || engine.accepted_now == 0) continue;
    EngineSpeed& speed = settings.speeds[engine.engine_id];
    speed.accepted += engine.accepted_now;
    speed.seconds += engine.seconds;
  }
}

std::string to_json(const ResultSettings& settings) {
  json out{{"program_version", settings.program_version},
           {"scoring_version", settings.scoring},
           {"options", options_json(settings.options)},
           {"rules", rules_json(settings.rules)},
           {"quotes", json::object()},
           {"speeds", json::object()}};
  for (const auto& [engine, quote] : settings.quotes) out["quotes"][engine] = quote_json(quote);
  for (const auto& [engine, speed] : settings.speeds) {
    out["speeds"][engine] = {{"accepted", speed.accepted}, {"seconds", speed.seconds}};
  }
  return out.dump();
}

std::optional<ResultSettings> result_settings_from_json(const std::string& text) {
  try {
    const json from = json::parse(text);
    ResultSettings out;
    from.at("program_version").get_to(out.program_version);
    from.at("scoring_version").get_to(out.scoring);
    out.options = options_from(from.at("options"));
    out.rules = rules_from(from.at("rules"));
    for (const auto& [engine, quote] : from.at("quotes").items()) {
      out.quotes[engine] = quote_from(quote);
    }
    for (const auto& [engine, speed] : from.at("speeds").items()) {
      out.speeds[engine] = {speed.at("accepted").get<std::int64_t>(),
                            speed.at("seconds").get<double>()};
    }
    return out;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace promptsweep
