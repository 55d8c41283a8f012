// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <cstdlib>

#include "base/env.h"
#include "base/unicode.h"
#include "config/document.h"
#include "config/merge.h"
#include "config/models.h"
#include "config/options.h"

namespace promptsweep {
namespace {

// ~ and $VAR / ${VAR}, as the original expanded them; an unset variable stays as written.
std::filesystem::path expanded(const std::string& text) {
  std::string out = text;
  if (out == "~" || out.starts_with("~/")) {
    if (const auto home = environment("HOME")) out = *home + out.substr(1);
  }
  for (std::size_t at = out.find('$'); at != std::string::npos; at = out.find('$', at + 1)) {
    const bool braces = at + 1 < out.size() && out[at + 1] == '{';
    std::size_t end = at + (braces ? 2 : 1);
    const std::size_t name_from = end;
    while (end < out.size() &&
           (std::isalnum(static_cast<unsigned char>(out[end])) != 0 || out[end] == '_'))
      ++end;
    const auto value = environment(out.substr(name_from, end - name_from).c_str());
    if (!value || end == name_from || (braces && (end >= out.size() || out[end] != '}'))) continue;
    out.replace(at, end - at + (braces ? 1 : 0), *value);
  }
  return out;
}

class Loader {
 public:
  Loader(YAML::Node root, const std::filesystem::path& file, Problems& problems)
      : root_(std::move(root)), problems_(problems) {
    config_.file = std::filesystem::absolute(file);
  }

  SweepConfig load() {
    read_sampling();
    read_models(root_, problems_, config_);
    read_prompt_sets();
    read_datasets();
    read_grid();
    read_trials();
    read_execution();
    read_scoring();
    read_pricing();
    config_.warnings = problems_.warnings();
    YAML::Emitter out;
    out << root_;
    config_.effective_yaml = std::string(out.c_str()) + "\n";
    return std::move(config_);
  }

 private:
  YAML::Node at(const std::string& key) const { return child(root_, key); }
  YAML::Node at(const std::string& group, const std::string& key) const {
    return child(at(group), key);
  }

  void require_file(const YAML::Node& node, const std::string& key,
                    const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) {
      problems_.add(
          node, key,
          "there is no file " + path.string() + " (paths are relative to the current folder)");
    }
  }

  void read_sampling() {
    config_.temps =
        at("temps").IsDefined() ? read_numbers(at("temps")) : std::vector<double>{0.0, 0.7};
    if (config_.temps.empty())
      problems_.add(at("temps"), "temps", "found an empty list; allowed are numbers in [0, 2]");
    if (const YAML::Node node = at("top_p"); node.IsDefined()) {
      config_.top_p_null = node.IsNull();
      config_.top_p = read_number(node).value_or(config_.top_p);
    }
    if (const YAML::Node node = at("top_k"); node.IsDefined()) {
      config_.top_k_null = node.IsNull();
      config_.top_k = static_cast<int>(read_integer(node).value_or(config_.top_k));
    }
    const auto limit = [&](const char* key, int fallback) {
      return static_cast<int>(read_integer(at("max_new_tokens", key)).value_or(fallback));
    };
    config_.max_new_tokens = {limit("closed_book", 1024), limit("open_book", 1024)};
    config_.stop = read_strings(at("stop"));
    config_.seed = static_cast<std::uint64_t>(read_integer(at("seed")).value_or(1337));
    config_.dataset_seed =
        static_cast<std::uint64_t>(read_integer(at("dataset_seed")).value_or(2025));
    read_samples();
  }

  // 0.0, "0.0", 0 and 0.00 name the same temperature.
  void read_samples() {
    const YAML::Node node = at("samples_per_item");
    if (!node.IsDefined() || !node.IsMap()) return;
    for (const auto& entry : node) {
      const std::string& key = entry.first.Scalar();
      const std::optional<double> temperature = as_number(key);
      if (!temperature || *temperature < 0 || *temperature > 2) {
        problems_.add(entry.first, "samples_per_item." + key,
                      "a key must be a temperature in [0, 2]");
        continue;
      }
      const int samples = static_cast<int>(read_integer(entry.second).value_or(1));
      if (first_samples_ == 0) first_samples_ = samples;
      if (!config_.samples_per_item.emplace(format_number(*temperature), samples).second) {
        problems_.add(entry.first, "samples_per_item." + key, "this temperature is named twice");
      }
    }
  }

  // Any temperature without samples of its own gets the first listed number.
  void complete_samples(const std::vector<double>& temps) {
    for (double temperature : temps) {
      const std::string key = format_number(temperature);
      if (config_.samples_per_item.contains(key)) continue;
      const int samples = first_samples_ == 0 ? 1 : first_samples_;
      if (!config_.samples_per_item.empty()) {
        problems_.warn(key_node(root_, "samples_per_item"), "samples_per_item",
                       "temperature " + key + " is not listed; it gets " + std::to_string(samples));
      }
      config_.samples_per_item.emplace(key, samples);
    }
  }

  void read_prompt_sets() {
    const YAML::Node node = at("prompt_sets");
    if (node.IsDefined() && node.IsMap()) {
      for (const auto& entry : node) {
        PromptSet set;
        set.name = entry.first.Scalar();
        set.place = problems_.place(entry.first);
        const std::string key = "prompt_sets." + set.name;
        for (const char* side : {"control", "treatment"}) {
          const auto path = read_string(child(entry.second, side));
          if (!path) {
            problems_.add(entry.first, key + "." + side, "is missing; name the prompt's file");
            continue;
          }
          (side == std::string("control") ? set.control : set.treatment) = expanded(*path);
          require_file(child(entry.second, side), key + "." + side, expanded(*path));
        }
        config_.prompt_sets.push_back(std::move(set));
      }
    } else {
      config_.prompt_sets.push_back({"default", "config/prompts/control_system.txt",
                                     "config/prompts/treatment_system.txt",
                                     problems_.place(root_)});
      for (const auto& path : {config_.prompt_sets[0].control, config_.prompt_sets[0].treatment}) {
        require_file(root_, "prompt_sets (default)", path);
      }
    }
    check_set_names();
    std::string first;
    for (const PromptSet& set : config_.prompt_sets) {
      if (first.empty() || set.name < first) first = set.name;
    }
    config_.default_prompt_set = read_string(at("default_prompt_set")).value_or(first);
    require_set(at("default_prompt_set"), "default_prompt_set", config_.default_prompt_set);
    read_instructions();
  }

  void check_set_names() {
    std::map<std::string, std::string> folded;
    for (const PromptSet& set : config_.prompt_sets) {
      const auto [other, is_new] = folded.emplace(unicode_fold(set.name), set.name);
      if (!is_new) {
        problems_.add(key_node(at("prompt_sets"), set.name), "prompt_sets." + set.name,
                      "differs from \"" + other->second + "\" in case alone; rename one");
      }
    }
  }

  void read_instructions() {
    const auto path = [&](const char* key) {
      const YAML::Node node = at("task_instructions", key);
      const std::filesystem::path file = expanded(
          read_string(node).value_or(std::string("config/task_instructions/") + key + ".txt"));
      require_file(node.IsDefined() ? node : root_, std::string("task_instructions.") + key, file);
      return file;
    };
    config_.closed_book_instructions = path("closed_book");
    config_.open_book_instructions = path("open_book");
    config_.abstention_phrases = read_strings(at("abstention", "phrases"));
    if (config_.abstention_phrases.empty())
      config_.abstention_phrases = {"I don't know", "I do not know"};
  }

  bool require_set(const YAML::Node& node, const std::string& key, const std::string& name) {
    std::vector<std::string> names;
    for (const PromptSet& set : config_.prompt_sets) {
      if (set.name == name) return true;
      names.push_back(set.name);
    }
    std::string text = "found \"" + name + "\"; allowed are the prompt sets";
    for (const std::string& known : names) text += " " + known;
    if (const std::string near = nearest_name(name, names); !near.empty())
      text += "; did you mean \"" + near + "\"?";
    problems_.add(node.IsDefined() ? node : root_, key, text);
    return false;
  }

  void read_datasets() {
    const YAML::Node list = at("datasets");
    std::map<std::string, int> names;
    for (std::size_t i = 0; list.IsDefined() && list.IsSequence() && i < list.size(); ++i) {
      const YAML::Node node = list[i];
      const std::string key = "datasets[" + std::to_string(i) + "]";
      DatasetEntry entry;
      entry.place = problems_.place(node);
      const auto required = [&](const char* name) {
        const auto value = read_string(child(node, name));
        if (!value) problems_.add(node, key + "." + name, "is missing");
        return value.value_or("");
      };
      entry.name = required("name");
      entry.format = required("format");
      entry.path = expanded(required("path"));
      entry.task = read_string(child(node, "task"));
      entry.max_items = read_integer(child(node, "max_items"));
      const YAML::Node columns = child(node, "columns");
      if (columns.IsDefined() && columns.IsMap()) {
        for (const auto& column : columns)
          entry.columns[column.first.Scalar()] = column.second.Scalar();
      }
      if (entry.format == "csv" && !entry.task)
        problems_.add(node, key + ".task",
                      "is missing; a csv file does not say open_book or closed_book");
      if (!entry.name.empty() && ++names[entry.name] == 2)
        problems_.add(node, key + ".name", "two data sets are named \"" + entry.name + "\"");
      config_.datasets.push_back(std::move(entry));
    }
    const auto cap = [&](const char* key) { return read_integer(at("sizes", key)); };
    config_.sizes = {cap("open_book_max_items"), cap("squad_v2_max_items"),
                     cap("triviaqa_max_items"), cap("nq_open_max_items"),
                     cap("closed_book_max_items")};
    config_.limit_items = read_integer(at("limit_items"));
    config_.limit_items_per_dataset = read_integer(at("limit_items_per_dataset"));
    if (config_.limit_items && config_.limit_items_per_dataset) {
      problems_.add(at("limit_items"), "limit_items",
                    "and limit_items_per_dataset exclude each other; keep one");
    }
  }

  void read_grid() {
    const YAML::Node node = at("sweep");
    std::vector<double> temps = config_.temps;
    if (node.IsDefined() && node.IsMap()) {
      SweepGrid grid;
      grid.models = read_strings(child(node, "models"));
      grid.prompt_sets = read_strings(child(node, "prompt_sets"));
      grid.temps = read_numbers(child(node, "temps"));
      for (const std::string& name : grid.models)
        require_model(child(node, "models"), "sweep.models", name);
      for (const std::string& name : grid.prompt_sets)
        require_set(child(node, "prompt_sets"), "sweep.prompt_sets", name);
      for (const std::string& text : read_nullable(child(node, "top_p")))
        grid.top_p.push_back(as_number(text));
      for (const std::string& text : read_nullable(child(node, "top_k"))) {
        const auto value = as_integer(text);
        grid.top_k.push_back(value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt);
      }
      const YAML::Node limits = child(node, "max_new_tokens");
      for (double value : read_numbers(child(limits, "open_book")))
        grid.max_new_tokens_open.push_back(static_cast<int>(value));
      for (double value : read_numbers(child(limits, "closed_book")))
        grid.max_new_tokens_closed.push_back(static_cast<int>(value));
      temps.insert(temps.end(), grid.temps.begin(), grid.temps.end());
      config_.sweep = std::move(grid);
    }
    complete_samples(temps);
  }

  // Texts of a list whose elements may be null; a null reads back as no number.
  static std::vector<std::string> read_nullable(const YAML::Node& node) {
    std::vector<std::string> out;
    if (!node.IsDefined() || node.IsNull()) return out;
    if (node.IsScalar()) return {node.Scalar()};
    for (const YAML::Node& element : node)
      out.push_back(element.IsScalar() ? element.Scalar() : "null");
    return out;
  }

  std::string require_model(const YAML::Node& node, const std::string& key,
                            const std::string& name) {
    std::vector<std::string> names;
    for (const ModelEntry& model : config_.models) {
      if (model.id == name || model.alias == name) return model.id;
      names.push_back(model.alias);
    }
    if (const auto alias = config_.model_aliases.find(name); alias != config_.model_aliases.end())
      return alias->second;
    std::string text = "found \"" + name + "\"; allowed are the configured models";
    for (const std::string& known : names) text += " " + known;
    if (const std::string near = nearest_name(name, names); !near.empty())
      text += "; did you mean \"" + near + "\"?";
    problems_.add(node, key, text);
    return name;
  }

  void read_trials() {
    const YAML::Node list = at("trials");
    for (std::size_t i = 0; list.IsDefined() && list.IsSequence() && i < list.size(); ++i) {
      const YAML::Node node = list[i];
      const std::string key = "trials[" + std::to_string(i) + "]";
      TrialEntry trial;
      trial.place = problems_.place(node);
      trial.id = read_string(child(node, "id")).value_or("");
      const auto model = read_string(child(node, "model"));
      const auto model_id = read_string(child(node, "model_id"));
      const std::string fallback = config_.models.empty() ? "" : config_.models[0].id;
      const std::string name = model ? *model : model_id.value_or(fallback);
      trial.model = require_model(node, key + ".model", name);
      trial.prompt_set = read_string(child(node, "prompt_set"));
      if (trial.prompt_set)
        require_set(child(node, "prompt_set"), key + ".prompt_set", *trial.prompt_set);
      if (child(node, "temps").IsDefined()) {
        trial.temps = read_numbers(child(node, "temps"));
        complete_samples(*trial.temps);
      }
      trial.top_p = read_number(child(node, "top_p"));
      if (const auto top_k = read_integer(child(node, "top_k")))
        trial.top_k = static_cast<int>(*top_k);
      if (const YAML::Node limits = child(node, "max_new_tokens"); limits.IsDefined()) {
        TokenLimits value = config_.max_new_tokens;
        if (const auto open = read_integer(child(limits, "open_book")))
          value.open_book = static_cast<int>(*open);
        if (const auto closed = read_integer(child(limits, "closed_book")))
          value.closed_book = static_cast<int>(*closed);
        trial.max_new_tokens = value;
      }
      config_.trials.push_back(std::move(trial));
    }
  }

  void read_execution() {
    config_.condition = read_string(at("condition")).value_or("both");
    config_.order = read_string(at("order")).value_or("interleaved");
    config_.block_size = static_cast<int>(read_integer(at("block_size")).value_or(32));
    config_.retries = static_cast<int>(read_integer(at("retries")).value_or(2));
    config_.retry_budget = read_integer(at("retry_budget"));
    if (const auto lines = read_integer(at("lines_per_part")))
      config_.lines_per_part = static_cast<int>(*lines);
    config_.use_batch_api = read_boolean(at("use_batch_api")).value_or(true);
    const auto path = [&](const char* key, const char* fallback) {
      return expanded(read_string(at("paths", key)).value_or(fallback));
    };
    config_.paths = {path("raw_dir", "data/raw"),
                     path("prepared_dir", "data/prepared"),
                     path("batch_inputs_dir", "data/batch_inputs"),
                     path("results_dir", "results"),
                     path("reports_dir", "reports"),
                     path("run_manifest", "results/run_manifest.json"),
                     path("experiments_dir", "experiments")};
    config_.cache.enabled = read_boolean(at("cache", "enabled")).value_or(true);
    const auto cache = read_string(at("cache", "path"));
    config_.cache.path =
        cache ? expanded(*cache) : config_.paths.experiments_dir / "response_cache.sqlite";
    config_.resources.ram_gb = read_number(at("resources", "ram_gb"));
    config_.resources.vram_gb = read_number(at("resources", "vram_gb"));
    config_.resources.reserve_gb = read_number(at("resources", "reserve_gb")).value_or(1);
    config_.network.proxy = read_string(at("network", "proxy")).value_or("");
    if (config_.network.proxy.find('@') != std::string::npos) {
      problems_.add(at("network", "proxy"), "network.proxy",
                    "holds a user name or password, which would be recorded; give one without");
    }
    if (const auto bundle = read_string(at("network", "ca_bundle"))) {
      config_.network.ca_bundle = expanded(*bundle).string();
      require_file(at("network", "ca_bundle"), "network.ca_bundle", config_.network.ca_bundle);
    }
  }

  void read_scoring() {
    config_.unsupported.strategy = read_string(at("unsupported", "strategy")).value_or("baseline");
    config_.unsupported.threshold =
        read_number(at("unsupported", "threshold"))
            .value_or(read_number(at("unsupported_threshold")).value_or(0.5));
    config_.unsupported.min_token_overlap =
        read_number(at("unsupported", "min_token_overlap")).value_or(0.6);
    config_.behaviour_outcomes =
        read_string(at("analysis", "behaviour_outcomes")).value_or("exclude");
    StatsConfig& stats = config_.stats;
    stats.bootstrap_samples =
        static_cast<int>(read_integer(at("stats", "bootstrap_samples")).value_or(5000));
    stats.permutation_samples =
        static_cast<int>(read_integer(at("stats", "permutation_samples")).value_or(5000));
    stats.random_seed =
        static_cast<std::uint64_t>(read_integer(at("stats", "random_seed")).value_or(1337));
    stats.enable_permutation = read_boolean(at("stats", "enable_permutation")).value_or(true);
    stats.enable_fdr = read_boolean(at("stats", "enable_fdr")).value_or(true);
    stats.tost_alpha = read_number(at("stats", "tost_alpha")).value_or(0.05);
    const YAML::Node margins = at("stats", "tost_margins");
    if (margins.IsDefined() && margins.IsMap()) {
      stats.tost_margins.clear();
      for (const auto& entry : margins) {
        if (const auto margin = read_number(entry.second))
          stats.tost_margins[entry.first.Scalar()] = *margin;
      }
    }
  }

  Price read_price(const YAML::Node& node, const std::string& key) {
    const auto input = read_number(child(node, "input_per_mtok"));
    const auto output = read_number(child(node, "output_per_mtok"));
    Price price;
    price.input_per_mtok_batch = read_number(child(node, "input_per_mtok_batch"));
    price.output_per_mtok_batch = read_number(child(node, "output_per_mtok_batch"));
    price.batch_discount = read_number(child(node, "batch_discount"));
    const bool standard = input && output;
    const bool batch = price.input_per_mtok_batch && price.output_per_mtok_batch;
    if (!standard && !batch)
      problems_.add(node, key, "needs input_per_mtok and output_per_mtok, or both _batch prices");
    price.input_per_mtok = input.value_or(price.input_per_mtok_batch.value_or(0));
    price.output_per_mtok = output.value_or(price.output_per_mtok_batch.value_or(0));
    return price;
  }

  void read_provider_prices(const YAML::Node& models, const std::string& provider,
                            const std::string& key) {
    if (!models.IsDefined() || !models.IsMap()) return;
    for (const auto& entry : models) {
      const std::string& model = entry.first.Scalar();
      config_.pricing.providers[provider][model] = read_price(entry.second, key + "." + model);
    }
  }

  void read_pricing() {
    const YAML::Node node = at("pricing");
    config_.pricing.input_per_million = read_number(child(node, "input_per_million"));
    config_.pricing.output_per_million = read_number(child(node, "output_per_million"));
    config_.pricing.batch_discount = read_number(child(node, "batch_discount")).value_or(0.5);
    if (!node.IsDefined() || !node.IsMap()) return;
    for (const auto& entry : node) {
      const std::string& name = entry.first.Scalar();
      if (!entry.second.IsMap()) continue;
      if (name != "providers") {
        read_provider_prices(entry.second, name, "pricing." + name);
        continue;
      }
      for (const auto& provider : entry.second) {
        read_provider_prices(provider.second, provider.first.Scalar(),
                             "pricing.providers." + provider.first.Scalar());
      }
    }
  }

  YAML::Node root_;
  Problems& problems_;
  SweepConfig config_;
  int first_samples_ = 0;
};

Result<YAML::Node> parse(const std::filesystem::path& file) {
  Result<std::string> text = read_file(file);
  if (!text) return Error{Code::invalid_input, text.error().text};
  try {
    YAML::Node root = YAML::Load(*text);
    if (!root.IsMap())
      return Error{Code::invalid_input, file.string() + ": a configuration is a mapping of keys"};
    return root;
  } catch (const YAML::Exception& error) {
    const std::string place = error.mark.is_null()
                                  ? ""
                                  : ":" + std::to_string(error.mark.line + 1) + ":" +
                                        std::to_string(error.mark.column + 1);
    return Error{Code::invalid_input, file.string() + place + " is not YAML: " + error.msg};
  }
}

}  // namespace

Result<SweepConfig> load_config(const std::filesystem::path& file, const Overrides& overrides) {
  Result<YAML::Node> root = parse(file);
  if (!root) return std::move(root).error();
  Problems problems(file.string());
  try {
    merge_overrides(*root, overrides, problems);
    check_document(*root, problems);
    // Values of the wrong type would be misread; what the table cannot see is checked after it.
    if (!problems.empty()) return Error{Code::invalid_input, problems.text()};
    SweepConfig config = Loader(*root, file, problems).load();
    if (!problems.empty()) return Error{Code::invalid_input, problems.text()};
    return config;
  } catch (const YAML::Exception& error) {
    return Error{Code::invalid_input, file.string() + ": " + error.msg};
  }
}

std::string locate_option_error(const ModelEntry& model, const std::string& complaint) {
  std::string pointer = complaint.substr(0, complaint.find(": "));
  // The longest known prefix: an element of a list has the place of its list.
  while (!pointer.empty()) {
    const auto found = model.option_places.find(pointer);
    if (found != model.option_places.end())
      return found->second.text() + " backend_options" + complaint;
    pointer.resize(pointer.rfind('/') == std::string::npos ? 0 : pointer.rfind('/'));
  }
  return model.place.text() + " backend_options" + complaint;
}

}  // namespace promptsweep
