// SPDX-License-Identifier: Apache-2.0
// The configuration of a sweep as one typed value: what a YAML file and the command line say, with
// every default filled in and every value checked. YAML ends in this module.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "records/decoding.h"

namespace promptsweep {

// Where a value came from, for messages: "sweep.yaml:17:9", "--temps", "default".
struct Place {
  std::string file;
  int line = 0;  // 1-based; 0: not from a file
  int column = 0;
  std::string text() const;
};

struct ModelEntry {
  std::string id;       // full model id
  std::string alias;    // short name for slugs and tables; the id's last segment by default
  std::string backend;  // plugin name: local_ollama, llamacpp_cuda, fireworks, or any other
  std::string backend_options_json = "{}";
  std::map<std::string, Place> option_places;  // JSON pointer -> where the option was written
  std::string isolation = "auto";
  std::string pricing_key;  // key into pricing; the id by default
  Place place;
};

struct PromptSet {
  std::string name;
  std::filesystem::path control;
  std::filesystem::path treatment;
  Place place;
};

struct DatasetEntry {
  std::string name;
  std::optional<std::string> task;  // open_book, closed_book
  std::string format;               // squad, triviaqa, nq_open, prepared, csv
  std::filesystem::path path;
  std::map<std::string, std::string> columns;
  std::optional<std::int64_t> max_items;
  Place place;
};

// trials[]: wins over the sweep.
struct TrialEntry {
  std::string id;
  std::string model;  // model id (aliases resolved)
  std::optional<std::string> prompt_set;
  std::optional<std::vector<double>> temps;
  std::optional<double> top_p;
  std::optional<int> top_k;
  std::optional<TokenLimits> max_new_tokens;
  Place place;
};

// sweep: absent lists mean the base value.
struct SweepGrid {
  std::vector<std::string> models, prompt_sets;
  std::vector<double> temps;
  std::vector<std::optional<double>> top_p;
  std::vector<std::optional<int>> top_k;
  std::vector<int> max_new_tokens_open, max_new_tokens_closed;
};

struct StatsConfig {
  int bootstrap_samples = 5000;
  int permutation_samples = 5000;
  std::uint64_t random_seed = 1337;
  bool enable_permutation = true;
  bool enable_fdr = true;
  double tost_alpha = 0.05;
  std::map<std::string, double> tost_margins{{"em", 0.01}, {"f1", 0.01}};
};

struct Price {
  double input_per_mtok = 0, output_per_mtok = 0;
  std::optional<double> input_per_mtok_batch, output_per_mtok_batch;
  std::optional<double> batch_discount;  // a multiplier
};

struct PricingConfig {
  std::optional<double> input_per_million, output_per_million;  // set only when the user wrote them
  double batch_discount = 0.5;                                  // a multiplier
  std::map<std::string, std::map<std::string, Price>> providers;  // provider -> model key -> price
};

struct SweepConfig {
  std::filesystem::path file;                        // the configuration file, absolute
  std::vector<ModelEntry> models;                    // every model that the run may use, in order
  std::map<std::string, std::string> model_aliases;  // alias -> id
  std::vector<PromptSet> prompt_sets;                // by name
  std::string default_prompt_set;
  std::vector<DatasetEntry> datasets;  // empty: the prepared files of paths.prepared_dir
  std::filesystem::path closed_book_instructions, open_book_instructions;
  std::vector<std::string> abstention_phrases;

  std::vector<double> temps;
  std::map<std::string, int> samples_per_item;  // format_number(temp) -> K
  double top_p = 1.0;
  bool top_p_null = false;  // an explicit null: not sent
  int top_k = 50;
  bool top_k_null = false;
  TokenLimits max_new_tokens;
  std::vector<std::string> stop;
  std::uint64_t seed = 1337;          // of sampling
  std::uint64_t dataset_seed = 2025;  // of the shuffle

  struct Sizes {
    std::optional<std::int64_t> open_book_max_items, squad_v2_max_items, triviaqa_max_items,
        nq_open_max_items, closed_book_max_items;
  } sizes;

  struct Paths {
    std::filesystem::path raw_dir, prepared_dir, batch_inputs_dir, results_dir, reports_dir,
        run_manifest, experiments_dir;
  } paths;

  std::optional<SweepGrid> sweep;
  std::vector<TrialEntry> trials;

  std::string order = "interleaved";  // interleaved, blocked
  int block_size = 32;
  std::optional<int> lines_per_part;
  std::optional<std::int64_t> retry_budget;
  int retries = 2;  // attempts beyond the first for transient outcomes, per invocation
  std::string behaviour_outcomes = "exclude";  // exclude, score_as_wrong
  bool use_batch_api = true;

  struct Cache {
    bool enabled = true;         // keep the answers of complete arms for later runs
    std::filesystem::path path;  // the response cache
  } cache;
  struct Resources {
    std::optional<double> ram_gb, vram_gb;  // GiB; absent: what is detected
    double reserve_gb = 1;                  // left free of what is detected
  } resources;
  struct Network {
    std::string proxy, ca_bundle;  // empty: none, and the system's
  } network;

  struct Unsupported {
    std::string strategy = "baseline";
    double threshold = 0.5, min_token_overlap = 0.6;
  } unsupported;
  StatsConfig stats;
  PricingConfig pricing;

  // Command-line narrowing, kept here so that a run records it.
  std::string condition = "both";  // control, treatment, both
  std::optional<std::int64_t> limit_items, limit_items_per_dataset;

  std::vector<std::string> warnings;      // one sentence each, with place
  std::vector<std::string> run_refusals;  // loads and plans, but `run` refuses: backend alt, ...
  std::string effective_yaml;             // the merged configuration as YAML, keys in file order
};

}  // namespace promptsweep
