// SPDX-License-Identifier: Apache-2.0
#include "config/options.h"

#include <algorithm>

#include "records/decoding.h"

namespace promptsweep {
namespace {

using Kind = OptionKind;

Option row(std::string path, Kind kind, std::string fallback, std::string help) {
  Option option;
  option.path = std::move(path);
  option.kind = kind;
  option.fallback = std::move(fallback);
  option.help = std::move(help);
  return option;
}
Option in_range(Option option, double low, double high, bool low_is_open = false) {
  option.low = low;
  option.high = high;
  option.low_is_open = low_is_open;
  return option;
}
Option at_least(Option option, double low) {
  option.low = low;
  return option;
}
Option one_of(Option option, std::vector<std::string> choices) {
  option.choices = std::move(choices);
  return option;
}
Option or_null(Option option) {
  option.nullable = true;
  return option;
}
Option dead(std::string path, Kind kind, std::string instead) {
  Option option = row(std::move(path), kind, "", "Read and ignored.");
  option.instead = std::move(instead);
  option.nullable = true;
  return option;
}

void add_models_and_backends(std::vector<Option>& t) {
  t.push_back(
      row("model_id", Kind::string, "", "The model when neither models nor a sweep names one."));
  t.push_back(row("models", Kind::models, "",
                  "The models of the run: ids, or mappings that may name a backend of their own."));
  t.push_back(row("models[].id", Kind::string, "", "Full model id, as the backend knows it."));
  t.push_back(row("models[].alias", Kind::string, "the id's last segment",
                  "Short name for folders and tables."));
  t.push_back(row("models[].backend", Kind::string, "backend", "Plugin that runs this model."));
  t.push_back(row("models[].backend_options", Kind::any, "{}",
                  "Options of that plugin; they win over the global backend_options."));
  t.push_back(one_of(row("models[].isolation", Kind::string, "isolation", "Where the plugin runs."),
                     {"auto", "process", "inline"}));
  t.push_back(row("models[].pricing_key", Kind::string, "the id", "Key of this model in pricing."));
  t.push_back(row("model_aliases", Kind::group, "{}", "alias -> full model id."));
  t.push_back(row("model_aliases.*", Kind::string, "", "Full model id."));
  t.push_back(
      row("backend", Kind::string, "fireworks",
          "Plugin name; `local` with local_engine, and `fireworks`, mean what they always meant."));
  t.push_back(row("backend_options", Kind::any, "{}",
                  "Options of the plugin, checked against the schema that it publishes."));
  t.push_back(one_of(row("isolation", Kind::string, "auto",
                         "Where plugins run: in a host process or in this one."),
                     {"auto", "process", "inline"}));
  t.push_back(one_of(or_null(row("local_engine", Kind::string, "", "With backend: local.")),
                     {"ollama", "llama_cpp"}));
  t.push_back(or_null(row("local_endpoint", Kind::string, "", "Address of the Ollama server.")));
  t.push_back(or_null(row("local_model", Kind::string, "",
                          "Ollama: model name. llama.cpp: path of the GGUF file.")));
  t.push_back(or_null(
      at_least(row("local_n_ctx", Kind::integer, "", "Context length of the local engine."), 1)));
  t.push_back(or_null(at_least(
      row("local_n_gpu_layers", Kind::integer, "", "Layers on the GPU; -1 is all (llama.cpp)."),
      -1)));
  t.push_back(at_least(row("max_concurrent_requests", Kind::integer, "1",
                           "Requests at the same time, for backend: local."),
                       1));
}

void add_prompts_and_data(std::vector<Option>& t) {
  t.push_back(row("prompt_sets", Kind::group, "default: control_system.txt, treatment_system.txt",
                  "name -> the two system prompts that are compared."));
  t.push_back(row("prompt_sets.*", Kind::group, "", "One comparison."));
  t.push_back(row("prompt_sets.*.control", Kind::path, "", "File of the control's system prompt."));
  t.push_back(
      row("prompt_sets.*.treatment", Kind::path, "", "File of the treatment's system prompt."));
  t.push_back(or_null(row("default_prompt_set", Kind::string, "alphabetically first",
                          "The set when no sweep names one.")));
  t.push_back(row("task_instructions", Kind::group, "", "Text put before every question."));
  t.push_back(row("task_instructions.open_book", Kind::path,
                  "config/task_instructions/open_book.txt", "File for questions with a passage."));
  t.push_back(row("task_instructions.closed_book", Kind::path,
                  "config/task_instructions/closed_book.txt", "File for questions without one."));
  t.push_back(row("abstention", Kind::group, "", "What counts as declining to answer."));
  t.push_back(row("abstention.phrases", Kind::strings, "I don't know; I do not know",
                  "Whole answers that are abstentions; case, apostrophes and punctuation around "
                  "them do not matter."));
  t.push_back(row("datasets", Kind::list, "the prepared files", "Data sets to ask from."));
  t.push_back(row("datasets[].name", Kind::string, "", "Name in ids and tables."));
  t.push_back(one_of(
      row("datasets[].task", Kind::string, "from the file", "Kind of question; required for csv."),
      {"open_book", "closed_book"}));
  t.push_back(one_of(row("datasets[].format", Kind::string, "", "Layout of the file."),
                     {"squad", "triviaqa", "nq_open", "prepared", "csv"}));
  t.push_back(row("datasets[].path", Kind::path, "", "The file."));
  t.push_back(row("datasets[].columns", Kind::group, "", "csv: field -> column header."));
  t.push_back(row("datasets[].columns.*", Kind::string, "", "Column header."));
  t.push_back(or_null(at_least(
      row("datasets[].max_items", Kind::integer, "all", "At most this many items; 0 is none."),
      0)));
  t.push_back(
      row("sizes", Kind::group, "", "Caps of the prepared data sets; 0 is none of that kind."));
  for (const char* name :
       {"open_book_max_items", "squad_v2_max_items", "triviaqa_max_items", "nq_open_max_items"}) {
    t.push_back(or_null(at_least(row(std::string("sizes.") + name, Kind::integer, "all",
                                     "At most this many items; 0 is none."),
                                 0)));
  }
  t.push_back(dead("sizes.closed_book_max_items", Kind::integer,
                   "sizes.triviaqa_max_items and sizes.nq_open_max_items"));
  t.push_back(
      or_null(at_least(row("limit_items", Kind::integer, "all",
                           "N items per condition in all, over all data sets (--limit_items)."),
                       1)));
  t.push_back(or_null(at_least(row("limit_items_per_dataset", Kind::integer, "all",
                                   "N items of each data set (--limit_items_per_dataset)."),
                               1)));
  t.push_back(
      row("dataset_seed", Kind::integer, "2025", "Seed of the shuffle that chooses items."));
  t.back().low = 0;
}

void add_sampling_and_grid(std::vector<Option>& t) {
  t.push_back(in_range(row("temps", Kind::numbers, "[0.0, 0.7]", "Temperatures."), 0, 2));
  t.push_back(row("samples_per_item", Kind::group, "1", "temperature -> samples of each item."));
  t.push_back(at_least(
      row("samples_per_item.*", Kind::integer, "", "Samples of each item at this temperature."),
      1));
  t.push_back(row("max_new_tokens", Kind::group, "", "Token limits of an answer."));
  t.push_back(at_least(row("max_new_tokens.closed_book", Kind::integer, "1024",
                           "Limit for questions without a passage."),
                       1));
  t.push_back(at_least(
      row("max_new_tokens.open_book", Kind::integer, "1024", "Limit for questions with a passage."),
      1));
  t.push_back(or_null(in_range(
      row("top_p", Kind::number, "1.0", "Nucleus sampling; null is not sent."), 0, 1, true)));
  t.push_back(or_null(at_least(
      row("top_k", Kind::integer, "50", "Top-k sampling; 0 is no limit, null is not sent."), 0)));
  t.push_back(or_null(row("stop", Kind::strings, "[]", "Strings that end an answer.")));
  t.push_back(at_least(
      row("seed", Kind::integer, "1337", "Seed of sampling; each request derives its own from it."),
      0));
  t.push_back(one_of(row("condition", Kind::string, "both", "Which arms to run (--condition)."),
                     {"control", "treatment", "both"}));
  t.push_back(or_null(
      row("sweep", Kind::group, "", "The grid: every combination of these lists is a trial.")));
  t.push_back(row("sweep.models", Kind::strings, "models", "Ids or aliases."));
  t.push_back(
      row("sweep.prompt_sets", Kind::strings, "default_prompt_set", "Names of prompt sets."));
  t.push_back(
      in_range(row("sweep.temps", Kind::numbers, "temps", "Temperatures of every trial."), 0, 2));
  t.push_back(or_null(
      in_range(row("sweep.top_p", Kind::numbers, "top_p", "Values of top_p."), 0, 1, true)));
  t.push_back(
      or_null(at_least(row("sweep.top_k", Kind::integers, "top_k", "Values of top_k."), 0)));
  t.push_back(
      row("sweep.max_new_tokens", Kind::group, "max_new_tokens", "Values of the token limits."));
  t.push_back(at_least(
      row("sweep.max_new_tokens.open_book", Kind::integers, "", "Limits for open-book questions."),
      1));
  t.push_back(at_least(row("sweep.max_new_tokens.closed_book", Kind::integers, "",
                           "Limits for closed-book questions."),
                       1));
  t.push_back(or_null(row("trials", Kind::list, "", "Explicit trials; they win over the sweep.")));
  t.push_back(row("trials[].id", Kind::string, "", "A name of your own."));
  t.push_back(row("trials[].model", Kind::string, "", "Id or alias."));
  t.push_back(row("trials[].model_id", Kind::string, "", "The same as model."));
  t.push_back(
      row("trials[].prompt_set", Kind::string, "default_prompt_set", "Name of a prompt set."));
  t.push_back(in_range(row("trials[].temps", Kind::numbers, "temps", "Temperatures."), 0, 2));
  t.push_back(or_null(
      in_range(row("trials[].top_p", Kind::number, "top_p", "Nucleus sampling."), 0, 1, true)));
  t.push_back(
      or_null(at_least(row("trials[].top_k", Kind::integer, "top_k", "Top-k sampling."), 0)));
  t.push_back(row("trials[].max_new_tokens", Kind::group, "max_new_tokens", "Token limits."));
  t.push_back(at_least(
      row("trials[].max_new_tokens.open_book", Kind::integer, "", "Limit for open-book questions."),
      1));
  t.push_back(at_least(row("trials[].max_new_tokens.closed_book", Kind::integer, "",
                           "Limit for closed-book questions."),
                       1));
}

void add_execution(std::vector<Option>& t) {
  t.push_back(one_of(
      row("order", Kind::string, "interleaved", "Whether the blocks of paired arms alternate."),
      {"interleaved", "blocked"}));
  t.push_back(at_least(row("block_size", Kind::integer, "32", "Items a block."), 1));
  t.push_back(
      in_range(row("retries", Kind::integer, "2",
                   "Further offers of a request that failed for the infrastructure's fault."),
               0, 100));
  t.push_back(or_null(
      at_least(row("retry_budget", Kind::integer, "",
                   "Further offers of all requests together, an invocation; absent: a tenth of the "
                   "requests, at least 100."),
               0)));
  t.push_back(
      or_null(at_least(row("lines_per_part", Kind::integer, "", "Requests a job at most."), 1)));
  t.push_back(
      row("use_batch_api", Kind::boolean, "true",
          "Fireworks: false asks its chat endpoint (mode: realtime) at its standard prices."));
  t.push_back(row("cache", Kind::group, "", "Answers kept for later runs; --reuse uses them."));
  t.push_back(row("cache.enabled", Kind::boolean, "true",
                  "Whether the answers of complete arms are kept."));
  t.push_back(row("cache.path", Kind::path, "response_cache.sqlite in paths.experiments_dir",
                  "File that holds them."));
  t.push_back(row("resources", Kind::group, "", "Memory that engines may use at the same time."));
  t.push_back(or_null(
      at_least(row("resources.ram_gb", Kind::number, "what is free", "GiB of main memory."), 0)));
  t.push_back(or_null(at_least(
      row("resources.vram_gb", Kind::number, "what is free on all GPUs", "GiB of GPU memory."),
      0)));
  t.push_back(at_least(row("resources.reserve_gb", Kind::number, "1",
                           "GiB of each that stay free where the amount is detected."),
                       0));
  t.push_back(
      row("network", Kind::group, "", "The way to services; this machine is never proxied."));
  t.push_back(or_null(row("network.proxy", Kind::string, "none",
                          "Proxy, for example http://proxy.example:3128; without a password.")));
  t.push_back(or_null(row("network.ca_bundle", Kind::path, "the system's",
                          "PEM file of the authorities whose certificates are trusted.")));
  t.push_back(row("paths", Kind::group, "", "Folders; ~ and $VARS are expanded."));
  t.push_back(row("paths.prepared_dir", Kind::path, "data/prepared", "Prepared data files."));
  t.push_back(row("paths.experiments_dir", Kind::path, "experiments", "Where runs are kept."));
  t.push_back(
      row("paths.raw_dir", Kind::path, "data/raw", "Official downloads, for promptsweep prepare."));
  t.push_back(
      dead("paths.batch_inputs_dir", Kind::path, "request files lie in the store of their arm"));
  t.push_back(dead("paths.results_dir", Kind::path,
                   "results lie in each trial's folder under paths.experiments_dir"));
  t.push_back(dead("paths.reports_dir", Kind::path,
                   "reports lie in each trial's folder under paths.experiments_dir"));
  t.push_back(dead("paths.run_manifest", Kind::path, "multi_trial_manifest.json of the run"));
  t.push_back(
      dead("tokenizer", Kind::string, "the engine counts its own tokens; estimates are labelled"));
  t.push_back(
      dead("enable_local_telemetry", Kind::boolean, "latency is recorded with every answer"));
}

void add_provider(std::vector<Option>& t) {
  const std::string alt = "a backend plugin of that provider with backend_options";
  t.push_back(or_null(row("provider", Kind::group, "",
                          "OpenAI or Anthropic batch settings of the original (backend: alt).")));
  t.push_back(row("provider.name", Kind::string, "", "Provider."));
  t.push_back(row("provider.model", Kind::string, "", "Model at the provider."));
  t.push_back(or_null(row("provider.pricing_key", Kind::string, "model", "Key into pricing.")));
  for (const char* name : {"account_id", "region"})
    t.push_back(dead(std::string("provider.") + name, Kind::string, alt));
  for (const char* name :
       {"metadata", "batch_params", "request_overrides", "request_metadata", "batch_metadata",
        "client_options", "cache_control", "batch", "rate_limits"}) {
    t.push_back(dead(std::string("provider.") + name, Kind::any, alt));
  }
  for (const char* name : {"allow_temperature", "allow_top_p"})
    t.push_back(dead(std::string("provider.") + name, Kind::boolean, alt));
}

void add_scoring_and_statistics(std::vector<Option>& t) {
  t.push_back(row("unsupported", Kind::group, "",
                  "When an open-book answer counts as unsupported by its passage."));
  t.push_back(
      one_of(row("unsupported.strategy", Kind::string, "baseline",
                 "baseline: the answer stands in the passage; overlap: enough of its words do."),
             {"baseline", "overlap"}));
  t.push_back(in_range(dead("unsupported.threshold", Kind::number,
                            "abstention.phrases; abstention is decided answer by answer"),
                       0, 1));
  t.push_back(in_range(row("unsupported.min_token_overlap", Kind::number, "0.6",
                           "Share of the answer's words that must stand in the passage."),
                       0, 1));
  t.push_back(dead("unsupported.nli_model", Kind::string, "unsupported.strategy: overlap"));
  t.push_back(or_null(in_range(dead("unsupported_threshold", Kind::number,
                                    "abstention.phrases; abstention is decided answer by answer"),
                               0, 1)));
  t.push_back(row("analysis", Kind::group, "", "Choices of the analysis."));
  t.push_back(one_of(row("analysis.behaviour_outcomes", Kind::string, "exclude",
                         "What the primary analysis does with truncated, empty and filtered "
                         "answers; the other choice is printed beside it."),
                     {"exclude", "score_as_wrong"}));
  t.push_back(row("optional", Kind::group, "", "Extra analyses of the original."));
  for (const char* name :
       {"enable_unsupported_sensitivity", "enable_mixed_effects", "enable_power_analysis",
        "enable_cost_effectiveness", "mixed_effects", "power_analysis", "cost_effectiveness"}) {
    t.push_back(
        dead(std::string("optional.") + name, Kind::boolean, "the report holds what is measured"));
  }
  t.push_back(row("stats", Kind::group, "", "Statistics."));
  t.push_back(
      in_range(row("stats.bootstrap_samples", Kind::integer, "5000", "Resamples of an interval."),
               1, 10'000'000));
  t.push_back(in_range(
      row("stats.permutation_samples", Kind::integer, "5000", "Sign flips of a permutation test."),
      1, 10'000'000));
  t.push_back(at_least(row("stats.random_seed", Kind::integer, "1337", "Seed of resampling."), 0));
  t.push_back(
      row("stats.enable_permutation", Kind::boolean, "true", "Whether permutation tests run."));
  t.push_back(row("stats.enable_fdr", Kind::boolean, "true",
                  "Whether p-values are corrected over the sweep."));
  t.push_back(in_range(
      dead("stats.risk_thresholds", Kind::numbers, "abstain_rate and em_answerable of the report"),
      0, 1));
  t.push_back(
      in_range(row("stats.tost_alpha", Kind::number, "0.05", "Level of the equivalence tests."), 0,
               1, true));
  t.push_back(row("stats.tost_margins", Kind::group, "em: 0.01, f1: 0.01",
                  "metric -> margin of equivalence."));
  t.push_back(
      in_range(row("stats.tost_margins.*", Kind::number, "", "Margin, above 0."), 0, 1, true));
}

void add_price_columns(std::vector<Option>& t, const std::string& path) {
  t.push_back(row(path, Kind::open_group, "", "Prices of one model, US dollars a million tokens."));
  for (const char* name :
       {"input_per_mtok", "output_per_mtok", "input_per_mtok_batch", "output_per_mtok_batch"}) {
    t.push_back(or_null(
        at_least(row(path + "." + name, Kind::number, "", "US dollars a million tokens."), 0)));
  }
  t.push_back(or_null(in_range(row(path + ".batch_discount", Kind::number, "pricing.batch_discount",
                                   "Batch price as a share of the standard price."),
                               0, 1)));
}

void add_pricing(std::vector<Option>& t) {
  t.push_back(row("pricing", Kind::group, "", "Prices."));
  t.push_back(at_least(row("pricing.input_per_million", Kind::number, "",
                           "Price of input tokens where no model price fits."),
                       0));
  t.push_back(at_least(row("pricing.output_per_million", Kind::number, "",
                           "Price of output tokens where no model price fits."),
                       0));
  t.push_back(in_range(row("pricing.batch_discount", Kind::number, "0.5",
                           "Batch price as a share of the standard price: 0.5 halves it."),
                       0, 1));
  t.push_back(row("pricing.providers", Kind::group, "", "provider -> model -> prices."));
  t.push_back(row("pricing.providers.*", Kind::group, "", "Models of one provider."));
  add_price_columns(t, "pricing.providers.*.*");
  t.push_back(row("pricing.*", Kind::group, "", "The same without `providers`."));
  add_price_columns(t, "pricing.*.*");
}

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> out;
  std::string current;
  for (std::size_t i = 0; i <= path.size(); ++i) {
    if (i == path.size() || path[i] == '.') {
      if (!current.empty()) out.push_back(current);
      current.clear();
    } else if (path.compare(i, 2, "[]") == 0) {
      out.push_back(current);
      out.emplace_back("[]");
      current.clear();
      ++i;
    } else {
      current += path[i];
    }
  }
  return out;
}

OptionNode& child_of(OptionNode& node, const std::string& segment) {
  std::unique_ptr<OptionNode>& slot = segment == "*"    ? node.any_key
                                      : segment == "[]" ? node.element
                                                        : node.children[segment];
  if (!slot) slot = std::make_unique<OptionNode>();
  return *slot;
}

std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

const std::vector<Option>& option_table() {
  static const std::vector<Option> table = [] {
    std::vector<Option> t;
    add_models_and_backends(t);
    add_prompts_and_data(t);
    add_sampling_and_grid(t);
    add_execution(t);
    add_scoring_and_statistics(t);
    add_pricing(t);
    add_provider(t);
    for (Option& option : t) {
      // Whole numbers are kept in int, but for seeds and item counts.
      const bool wide = option.path.find("seed") != std::string::npos ||
                        option.path.find("items") != std::string::npos;
      const bool whole = option.kind == OptionKind::integer || option.kind == OptionKind::integers;
      const double bound = wide ? 9007199254740992.0 : std::numeric_limits<int>::max();
      if (whole) option.high = std::min(option.high, bound);
    }
    return t;
  }();
  return table;
}

const OptionNode& option_tree() {
  static const std::unique_ptr<OptionNode> root = [] {
    auto tree = std::make_unique<OptionNode>();
    for (const Option& option : option_table()) {
      OptionNode* node = tree.get();
      for (const std::string& segment : segments_of(option.path)) node = &child_of(*node, segment);
      node->option = &option;
    }
    return tree;
  }();
  return *root;
}

std::string allowed_text(const Option& option) {
  if (!option.choices.empty()) {
    std::string out = "one of ";
    for (const std::string& choice : option.choices)
      out += (&choice == &option.choices[0] ? "" : ", ") + choice;
    return out;
  }
  std::string what;
  switch (option.kind) {
    case OptionKind::string:
      what = "a text";
      break;
    case OptionKind::path:
      what = "a path";
      break;
    case OptionKind::integer:
      what = "a whole number";
      break;
    case OptionKind::number:
      what = "a number";
      break;
    case OptionKind::boolean:
      what = "true or false";
      break;
    case OptionKind::strings:
      what = "a list of texts";
      break;
    case OptionKind::numbers:
      what = "a list of numbers";
      break;
    case OptionKind::integers:
      what = "a list of whole numbers";
      break;
    case OptionKind::group:
    case OptionKind::open_group:
    case OptionKind::any:
      what = "a mapping";
      break;
    case OptionKind::list:
      what = "a list of mappings";
      break;
    case OptionKind::models:
      what = "a list of model ids or mappings";
      break;
  }
  const bool has_low = option.low != -std::numeric_limits<double>::infinity();
  const bool is_int = option.high == std::numeric_limits<int>::max();
  const bool has_high = option.high < 9007199254740992.0 && !is_int;
  if (has_low && has_high) {
    what += std::string(option.low_is_open ? " in (" : " in [") + format_number(option.low) + ", " +
            format_number(option.high) + "]";
  } else if (has_low) {
    what += (option.low_is_open ? " above " : " of at least ") + format_number(option.low);
  }
  if (is_int && has_low) what += ", below 2^31";
  return what + (option.nullable ? ", or null" : "");
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  std::size_t fewest = 3;
  for (const std::string& candidate : known) {
    const std::size_t edits = edits_between(name, candidate);
    if (edits < fewest && edits < candidate.size()) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace promptsweep
