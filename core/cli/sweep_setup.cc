// SPDX-License-Identifier: Apache-2.0
#include "cli/sweep_setup.h"

#include <set>

#include "base/digest.h"
#include "cli/run_choice.h"
#include "dataset/selection_record.h"
#include "store/run_store.h"

namespace promptsweep {

namespace po = boost::program_options;

namespace {

constexpr const char* where_to_get_data =
    "promptsweep prepare makes it from the official downloads: SQuAD 2.0 (dev-v2.0.json), "
    "TriviaQA (unfiltered, no context, JSON) and NQ-open (NQ-open.dev.jsonl)";

Overrides overrides_from(const ParsedArguments& arguments) {
  Overrides out;
  out.models = arguments.list("models");
  for (std::string& model : arguments.list("model_id")) out.models.push_back(std::move(model));
  out.prompt_sets = arguments.list("prompt_sets");
  out.temps = arguments.list("temps");
  if (arguments.has("condition")) out.condition = arguments.get<std::string>("condition");
  if (arguments.has("limit_items")) out.limit_items = arguments.get<std::int64_t>("limit_items");
  if (arguments.has("limit_items_per_dataset")) {
    out.limit_items_per_dataset = arguments.get<std::int64_t>("limit_items_per_dataset");
  }
  out.no_sweep = arguments.has("no_sweep");
  if (arguments.has("set")) out.set = arguments.get<std::vector<std::string>>("set");
  return out;
}

// A prepared file is not needed when every data set it may hold is capped to nothing.
bool wanted(const SweepConfig& config, TaskType type) {
  const SweepConfig::Sizes& sizes = config.sizes;
  if (type == TaskType::open_book) {
    return sizes.open_book_max_items.value_or(sizes.squad_v2_max_items.value_or(1)) != 0;
  }
  return sizes.triviaqa_max_items.value_or(1) != 0 || sizes.nq_open_max_items.value_or(1) != 0;
}

std::vector<DatasetSource> prepared_sources(const SweepConfig& config) {
  std::vector<DatasetSource> out;
  for (TaskType type : {TaskType::closed_book, TaskType::open_book}) {
    if (!wanted(config, type)) continue;
    DatasetSource source;
    source.name = type == TaskType::closed_book ? "closed_book" : "open_book";
    source.task = type;
    source.format = DatasetFormat::prepared;
    source.path = config.paths.prepared_dir / (source.name + ".jsonl");
    out.push_back(std::move(source));
  }
  return out;
}

Result<std::vector<DatasetSource>> configured_sources(const SweepConfig& config) {
  std::vector<DatasetSource> out;
  for (const DatasetEntry& entry : config.datasets) {
    DatasetSource source;
    source.name = entry.name;
    if (entry.task) source.task = task_type_from(*entry.task);
    const std::optional<DatasetFormat> format = dataset_format_from(entry.format);
    if (!format) {
      return Error{Code::invalid_input,
                   entry.place.text() + " unknown data set format \"" + entry.format + "\""};
    }
    source.format = *format;
    source.path = entry.path;
    source.columns = entry.columns;
    source.max_items = entry.max_items;
    out.push_back(std::move(source));
  }
  return out;
}

SelectionLimits limits_from(const SweepConfig& config) {
  SelectionLimits limits;
  limits.seed = config.dataset_seed;
  const SweepConfig::Sizes& sizes = config.sizes;
  const auto cap = [&](const char* dataset, const std::optional<std::int64_t>& items) {
    if (items) limits.max_items_by_dataset[dataset] = *items;
  };
  cap("squad_v2", sizes.open_book_max_items ? sizes.open_book_max_items : sizes.squad_v2_max_items);
  cap("triviaqa", sizes.triviaqa_max_items);
  cap("nq_open", sizes.nq_open_max_items);
  limits.limit_items = config.limit_items;
  limits.limit_items_per_dataset = config.limit_items_per_dataset;
  return limits;
}

Result<std::vector<DatasetSource>> sources_from(const SweepConfig& config) {
  if (config.datasets.empty()) return prepared_sources(config);
  return configured_sources(config);
}

// False: a file is not there.
bool all_there(SweepSetup& setup, const std::vector<DatasetSource>& sources) {
  bool complete = true;
  for (const DatasetSource& source : sources) {
    std::error_code ignored;
    if (std::filesystem::exists(source.path, ignored)) continue;
    complete = false;
    setup.missing.push_back("the data file " + source.path.string() + " is not there; " +
                            (setup.config.datasets.empty()
                                 ? where_to_get_data
                                 : "correct datasets[].path in the configuration"));
  }
  return complete;
}

// Of the run that is named or that this command would continue; nullopt: there is none.
std::optional<SelectionRecord> recorded_selection(const SweepConfig& config, bool always_new,
                                                  const SetUpWish& known) {
  if (known.run_id.empty() && !known.place && known.command_line_json.empty()) return std::nullopt;
  RunWish wish;
  wish.experiments_folder = config.paths.experiments_dir;
  if (!known.run_id.empty()) wish.run_id = known.run_id;
  wish.place = known.place;
  wish.always_new = always_new;
  wish.dry_run = known.dry_run;
  wish.config_sha256 = sha256_hex(config.effective_yaml);
  wish.command_line_json = known.command_line_json;
  const Result<RunChoice> choice = choose_run(wish);
  if (!choice || !choice->exists) return std::nullopt;
  // A run that cannot be read is told when it is opened for the work.
  const Result<std::unique_ptr<RunStore>> run = RunStore::open_read_only(choice->folder);
  if (!run) return std::nullopt;
  const Result<std::optional<SelectionRecord>> record = (*run)->selection();
  return record ? *record : std::nullopt;
}

// True: the record is of these files and limits, and told the selection.
Result<bool> take_record(SweepSetup& setup, const SelectionRecord& record,
                         const std::vector<DatasetSource>& sources) {
  std::vector<HashedSource> hashed;
  for (const DatasetSource& source : sources) {
    Result<std::string> sha256 = sha256_hex_of_file(source.path);
    if (!sha256) return Error{Code::invalid_input, sha256.error().text};
    hashed.push_back({source, std::move(sha256).value()});
  }
  const std::string now = selection_input_hash(hashed, limits_from(setup.config));
  if (now != record.input_hash) return false;
  std::optional<SelectionFacts> facts = selection_facts_from_json(record.facts_json);
  if (!facts) return false;
  setup.selection = *std::move(facts);
  setup.selection_input_hash = now;
  return true;
}

Status read_data(SweepSetup& setup, const std::vector<DatasetSource>& sources) {
  std::vector<DatasetFile> files;
  std::vector<HashedSource> hashed;
  for (const DatasetSource& source : sources) {
    Result<DatasetFile> file = read_dataset(source);
    if (!file) return std::move(file).error();
    hashed.push_back({source, file->sha256});
    files.push_back(std::move(file).value());
  }
  Result<Selection> selection = select_items(files, limits_from(setup.config));
  if (!selection) return std::move(selection).error();
  if (selection->facts.size() == 0) {
    return Error{Code::invalid_input, "no items are left: every data set is capped to 0 or empty"};
  }
  setup.selection = std::move(selection->facts);
  setup.items = std::move(selection->items);
  setup.selection_input_hash = selection_input_hash(hashed, limits_from(setup.config));
  return ok;
}

Status select_data(SweepSetup& setup, const std::optional<SelectionRecord>& record) {
  const Result<std::vector<DatasetSource>> sources = sources_from(setup.config);
  if (!sources) return sources.error();
  if (!all_there(setup, *sources)) return ok;
  if (record) {
    const Result<bool> taken = take_record(setup, *record, *sources);
    if (!taken) return taken.error();
    if (*taken) return ok;
  }
  return read_data(setup, *sources);
}

Status find_plugins(SweepSetup& setup, const std::vector<std::filesystem::path>& search_path,
                    bool dry_run) {
  std::set<std::string> not_found;
  for (ModelEntry& model : setup.config.models) {
    if (!setup.plugins.contains(model.backend) && !not_found.contains(model.backend)) {
      Result<PluginInfo> plugin = find_plugin(model.backend, search_path);
      if (!plugin && plugin.error().code != Code::not_found) return std::move(plugin).error();
      if (!plugin) {
        not_found.insert(model.backend);
        if (!dry_run) setup.missing.push_back(plugin.error().text);
        continue;
      }
      setup.plugins.emplace(model.backend, std::move(plugin).value());
    }
    const auto plugin = setup.plugins.find(model.backend);
    if (plugin == setup.plugins.end()) continue;
    model.backend_options_json =
        complete_options(plugin->second, model.backend_options_json, model.id);
    if (Status valid = validate_options(plugin->second, model.backend_options_json); !valid) {
      if (valid.error().code != Code::invalid_input) return valid;
      return Error{Code::invalid_input, locate_option_error(model, valid.error().text)};
    }
  }
  return ok;
}

}  // namespace

po::options_description sweep_options() {
  po::options_description options("Which sweep");
  const auto list = [] { return po::value<std::vector<std::string>>()->multitoken()->composing(); };
  options.add_options()  //
      ("config", po::value<std::string>()->default_value("config/eval_config.yaml"),
       "the sweep's YAML file")                                              //
      ("models", list(), "only these models (ids or aliases)")               //
      ("model_id", list(), "the same as --models")                           //
      ("prompt_sets", list(), "only these prompt sets")                      //
      ("temps", list(), "these temperatures")                                //
      ("condition", po::value<std::string>(), "control, treatment or both")  //
      ("limit_items", po::value<std::int64_t>(),
       "N items per condition in all, over all data sets")                                //
      ("limit_items_per_dataset", po::value<std::int64_t>(), "N items of each data set")  //
      ("no_sweep", "ignore the sweep: and run the base settings")                         //
      ("set", po::value<std::vector<std::string>>()->composing(),
       "KEY=VALUE: any option of the file, e.g. --set stats.bootstrap_samples=2000")  //
      ("backend_path", list(), "folders to look for backend plugins in");
  return options;
}

Result<SweepSetup> set_up_sweep(const ParsedArguments& arguments, const SetUpWish& wish) {
  SweepSetup setup;
  Result<SweepConfig> config =
      load_config(arguments.get<std::string>("config"), overrides_from(arguments));
  if (!config) return std::move(config).error();
  setup.config = std::move(config).value();

  std::vector<std::filesystem::path> folders;
  for (const std::string& folder : arguments.list("backend_path")) folders.emplace_back(folder);
  if (Status found = find_plugins(setup, backend_search_path(folders), wish.dry_run); !found)
    return std::move(found).error();
  const auto record = recorded_selection(setup.config, arguments.has("new"), wish);
  if (Status selected = select_data(setup, record); !selected) return std::move(selected).error();

  PlanInputs inputs;
  inputs.config = &setup.config;
  inputs.selection = setup.selection ? &*setup.selection : nullptr;
  inputs.answer_changing_options = [&](const ModelEntry& model) -> std::optional<std::string> {
    const auto plugin = setup.plugins.find(model.backend);
    if (plugin == setup.plugins.end()) {
      return wish.dry_run ? std::optional(model.backend_options_json) : std::nullopt;
    }
    return answer_changing_options(plugin->second, model.backend_options_json);
  };
  inputs.run_id = wish.run_id;
  inputs.dry_run = wish.dry_run;
  Result<PlannedRun> planned = make_plan(inputs);
  if (!planned) return std::move(planned).error();
  setup.planned = std::move(planned).value();
  return setup;
}

const ModelEntry* model_of(const SweepConfig& config, const EngineSpec& engine) {
  for (const ModelEntry& model : config.models) {
    if (model.id == engine.model && model.backend == engine.backend &&
        model.backend_options_json == engine.options_json) {
      return &model;
    }
  }
  return nullptr;
}

}  // namespace promptsweep
