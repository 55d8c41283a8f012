// SPDX-License-Identifier: Apache-2.0
#include "config/models.h"

#include <map>
#include <set>

#include "base/unicode.h"

namespace promptsweep {
namespace {

// What an entry of `models` gets when it does not say otherwise.
struct BackendDefaults {
  std::string backend;
  YAML::Node options{YAML::NodeType::Map};
  std::string isolation;
};

void set_if_absent(YAML::Node& options, const std::string& key, const YAML::Node& value) {
  if (!value.IsDefined() || value.IsNull() || options[key].IsDefined()) return;
  options[key] = value;
}

YAML::Node mapping_copy(const YAML::Node& node) {
  return node.IsDefined() && node.IsMap() ? YAML::Clone(node) : YAML::Node(YAML::NodeType::Map);
}

// The original's keys for local engines, as options of the plugin.
void add_local_options(const YAML::Node& root, BackendDefaults& defaults) {
  const bool ollama = defaults.backend == "local_ollama";
  set_if_absent(defaults.options, ollama ? "num_ctx" : "n_ctx", child(root, "local_n_ctx"));
  set_if_absent(defaults.options, ollama ? "max_concurrent_requests" : "n_parallel",
                child(root, "max_concurrent_requests"));
  if (ollama) {
    set_if_absent(defaults.options, "base_url", child(root, "local_endpoint"));
  } else {
    set_if_absent(defaults.options, "model", child(root, "local_model"));
    set_if_absent(defaults.options, "n_gpu_layers", child(root, "local_n_gpu_layers"));
  }
}

// The original's key for the service's two ways, as the option of the plugin.
void add_fireworks_options(const YAML::Node& root, BackendDefaults& defaults) {
  const auto batch = read_boolean(child(root, "use_batch_api"));
  if (batch && !*batch) set_if_absent(defaults.options, "mode", YAML::Node("realtime"));
}

// These keys speak to the original's two local engines alone; elsewhere they would do nothing.
void warn_of_local_keys(const YAML::Node& root, const std::string& backend, Problems& problems) {
  const bool ollama = backend == "local_ollama", llama_cpp = backend == "llamacpp_cuda";
  for (const auto& [key, used] :
       {std::pair("local_engine", ollama || llama_cpp), std::pair("local_endpoint", ollama),
        std::pair("local_n_ctx", ollama || llama_cpp), std::pair("local_n_gpu_layers", llama_cpp),
        std::pair("max_concurrent_requests", ollama || llama_cpp)}) {
    const YAML::Node value = child(root, key);
    if (used || !value.IsDefined() || value.IsNull()) continue;
    problems.warn(key_node(root, key), key,
                  "has no effect with this backend; instead: the backend_options of the backend");
  }
}

BackendDefaults read_defaults(const YAML::Node& root, Problems& problems, SweepConfig& config) {
  BackendDefaults out;
  out.backend = read_string(child(root, "backend")).value_or("fireworks");
  out.options = mapping_copy(child(root, "backend_options"));
  out.isolation = read_string(child(root, "isolation")).value_or("auto");
  const auto engine = read_string(child(root, "local_engine"));
  if (out.backend == "local") {
    if (!engine)
      problems.add(child(root, "backend"), "backend",
                   "local needs local_engine: ollama or llama_cpp");
    out.backend = engine == "llama_cpp" ? "llamacpp_cuda" : "local_ollama";
    add_local_options(root, out);
    warn_of_local_keys(root, out.backend, problems);
    return out;
  }
  warn_of_local_keys(root, "", problems);
  if (out.backend == "fireworks") add_fireworks_options(root, out);
  if (out.backend == "alt") {
    config.run_refusals.push_back(problems.place(child(root, "backend")).text() +
                                  " backend: alt (OpenAI and Anthropic batches) has no plugin; "
                                  "name a backend plugin instead");
  }
  return out;
}

std::string last_segment(const std::string& id) {
  const std::string tail = id.substr(id.rfind('/') + 1);
  return tail.empty() ? id : tail;
}

class ModelReader {
 public:
  ModelReader(const YAML::Node& root, Problems& problems, SweepConfig& config)
      : root_(root),
        problems_(problems),
        config_(config),
        defaults_(read_defaults(root, problems, config)) {}

  void read() {
    const YAML::Node aliases = child(root_, "model_aliases");
    if (aliases.IsDefined() && aliases.IsMap()) {
      for (const auto& entry : aliases)
        config_.model_aliases[entry.first.Scalar()] = entry.second.Scalar();
    }
    const YAML::Node list = child(root_, "models");
    const bool has_list = list.IsDefined() && list.IsSequence() && list.size() > 0;
    for (std::size_t i = 0; has_list && i < list.size(); ++i)
      add_listed(list[i], "models[" + std::to_string(i) + "]");
    // Free texts name models only where no list of models says which there are.
    if (!has_list) add_named();
    check_aliases();
  }

 private:
  std::string resolved(const std::string& name) const {
    const auto found = config_.model_aliases.find(name);
    return found == config_.model_aliases.end() ? name : found->second;
  }

  std::string alias_of(const std::string& id) const {
    for (const auto& [alias, target] : config_.model_aliases) {
      if (target == id) return alias;
    }
    return last_segment(id);
  }

  ModelEntry entry_for(const std::string& id, const YAML::Node& at) {
    ModelEntry model;
    model.id = id;
    model.alias = alias_of(id);
    model.backend = defaults_.backend;
    model.isolation = defaults_.isolation;
    model.pricing_key = id;
    model.place = problems_.place(at);
    return model;
  }

  void finish(ModelEntry model, const YAML::Node& own_options, const YAML::Node& at) {
    // Global options are those of the global backend; another plugin would not know them.
    YAML::Node options = model.backend == defaults_.backend ? YAML::Clone(defaults_.options)
                                                            : YAML::Node(YAML::NodeType::Map);
    collect_places(child(root_, "backend_options"), "", problems_, model.option_places);
    collect_places(own_options, "", problems_, model.option_places);
    if (own_options.IsDefined() && own_options.IsMap()) {
      for (const auto& entry : own_options) options[entry.first.Scalar()] = entry.second;
    }
    model.backend_options_json = to_json_text(options);
    for (const ModelEntry& other : config_.models) {
      if (other.id == model.id) {
        problems_.add(at, "models",
                      "\"" + model.id + "\" stands here twice; give each entry its own id");
        return;
      }
    }
    config_.models.push_back(std::move(model));
  }

  void add_listed(const YAML::Node& node, const std::string& key) {
    if (node.IsScalar())
      return finish(entry_for(resolved(node.Scalar()), node), YAML::Node(YAML::NodeType::Undefined),
                    node);
    const auto id = read_string(child(node, "id"));
    if (!id) return problems_.add(node, key + ".id", "is missing");
    ModelEntry model = entry_for(resolved(*id), node);
    if (const auto alias = read_string(child(node, "alias"))) model.alias = *alias;
    if (const auto backend = read_string(child(node, "backend"))) model.backend = *backend;
    if (const auto isolation = read_string(child(node, "isolation"))) model.isolation = *isolation;
    if (const auto pricing = read_string(child(node, "pricing_key"))) model.pricing_key = *pricing;
    finish(std::move(model), child(node, "backend_options"), node);
  }

  void add_named() {
    std::vector<std::pair<std::string, YAML::Node>> names;
    const auto add = [&](const YAML::Node& node) {
      for (const std::string& name : read_strings(node)) names.emplace_back(resolved(name), node);
    };
    add(child(child(root_, "sweep"), "models"));
    const YAML::Node trials = child(root_, "trials");
    if (trials.IsDefined() && trials.IsSequence()) {
      for (const YAML::Node& trial : trials) {
        add(child(trial, "model"));
        add(child(trial, "model_id"));
      }
    }
    if (names.empty()) add(child(root_, "model_id"));
    if (names.empty()) add(child(child(root_, "provider"), "model"));
    if (names.empty()) add(child(root_, "local_model"));
    if (names.empty())
      problems_.add(root_, "model_id",
                    "is missing; name a model with model_id, models or sweep.models");
    std::set<std::string> seen;
    for (const auto& [id, node] : names) {
      if (seen.insert(id).second)
        finish(entry_for(id, node), YAML::Node(YAML::NodeType::Undefined), node);
    }
  }

  void check_aliases() {
    std::map<std::string, std::string> folded;
    for (const ModelEntry& model : config_.models) {
      const auto [other, is_new] = folded.emplace(unicode_fold(model.alias), model.id);
      if (!is_new) {
        problems_.add(root_, "models",
                      "\"" + model.id + "\" and \"" + other->second +
                          "\" have the same short name \"" + model.alias + "\"; give one an alias");
      }
    }
  }

  const YAML::Node& root_;
  Problems& problems_;
  SweepConfig& config_;
  BackendDefaults defaults_;
};

}  // namespace

void read_models(const YAML::Node& root, Problems& problems, SweepConfig& config) {
  ModelReader(root, problems, config).read();
}

}  // namespace promptsweep
