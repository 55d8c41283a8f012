// SPDX-License-Identifier: Apache-2.0
#include "config/merge.h"

#include <algorithm>
#include <set>

namespace promptsweep {
namespace {

YAML::Node list_of(const std::vector<std::string>& values) {
  YAML::Node out(YAML::NodeType::Sequence);
  for (const std::string& value : values) out.push_back(value);
  return out;
}

void set_option(YAML::Node& root, const std::string& assignment, Problems& problems) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    problems.add(
        YAML::Node(), "--set",
        "found \"" + assignment + "\"; allowed is KEY=VALUE, e.g. stats.bootstrap_samples=2000");
    return;
  }
  YAML::Node value;
  try {
    value = YAML::Load(assignment.substr(equals + 1));
  } catch (const YAML::Exception& error) {
    problems.add(YAML::Node(), "--set " + assignment.substr(0, equals), error.msg);
    return;
  }
  YAML::Node at = root;
  std::size_t from = 0;
  const std::string key = assignment.substr(0, equals);
  for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', from)) {
    const std::string segment = key.substr(from, dot - from);
    if (!at[segment].IsDefined() || at[segment].IsNull())
      at[segment] = YAML::Node(YAML::NodeType::Map);
    if (!at[segment].IsMap()) {
      problems.add(YAML::Node(), "--set " + key, "\"" + segment + "\" is no mapping");
      return;
    }
    at.reset(at[segment]);
    from = dot + 1;
  }
  at[key.substr(from)] = value;
}

// Keeps the explicit trials that match; a name that matches none is an error.
void filter_trials(YAML::Node& root, const std::vector<std::string>& names,
                   const std::vector<std::string>& keys, const std::string& flag,
                   Problems& problems) {
  if (names.empty()) return;
  YAML::Node kept(YAML::NodeType::Sequence);
  std::set<std::string> used;
  for (const YAML::Node& trial : root["trials"]) {
    std::set<std::string> own;
    for (const std::string& key : keys) {
      if (const auto value = read_string(child(trial, key))) {
        own.insert(*value);
        const auto id = read_string(child(child(root, "model_aliases"), *value));
        if (id) own.insert(*id);
      }
    }
    for (const std::string& name : names) {
      if (!own.contains(name)) continue;
      used.insert(name);
      kept.push_back(trial);
      break;
    }
  }
  for (const std::string& name : names) {
    if (!used.contains(name))
      problems.add(YAML::Node(), flag, "no trial of the file has \"" + name + "\"");
  }
  root["trials"] = kept;
}

bool has_trials(const YAML::Node& root) {
  const YAML::Node trials = child(root, "trials");
  return trials.IsDefined() && trials.IsSequence() && trials.size() > 0;
}

void override_grid(YAML::Node& root, const Overrides& overrides) {
  const bool any =
      !overrides.models.empty() || !overrides.prompt_sets.empty() || !overrides.temps.empty();
  if (!any) return;
  if (!child(root, "sweep").IsDefined() || !root["sweep"].IsMap())
    root["sweep"] = YAML::Node(YAML::NodeType::Map);
  if (!overrides.models.empty()) root["sweep"]["models"] = list_of(overrides.models);
  if (!overrides.prompt_sets.empty()) root["sweep"]["prompt_sets"] = list_of(overrides.prompt_sets);
  if (!overrides.temps.empty()) root["sweep"]["temps"] = list_of(overrides.temps);
}

}  // namespace

void merge_overrides(YAML::Node& root, const Overrides& overrides, Problems& problems) {
  for (const std::string& assignment : overrides.set) set_option(root, assignment, problems);
  for (const std::string& temp : overrides.temps) {
    if (!as_number(temp))
      problems.add(YAML::Node(), "--temps",
                   "found \"" + temp + "\"; allowed is a number in [0, 2]");
  }
  if (overrides.no_sweep) root.remove("sweep");
  if (has_trials(root)) {
    filter_trials(root, overrides.models, {"model", "model_id"}, "--models", problems);
    filter_trials(root, overrides.prompt_sets, {"prompt_set"}, "--prompt_sets", problems);
    if (!overrides.temps.empty()) {
      for (YAML::Node trial : root["trials"]) trial["temps"] = list_of(overrides.temps);
    }
  } else {
    override_grid(root, overrides);
  }
  if (overrides.condition) root["condition"] = *overrides.condition;
  if (overrides.limit_items) root["limit_items"] = *overrides.limit_items;
  if (overrides.limit_items_per_dataset)
    root["limit_items_per_dataset"] = *overrides.limit_items_per_dataset;
  if (overrides.lines_per_part) root["lines_per_part"] = *overrides.lines_per_part;
}

}  // namespace promptsweep
