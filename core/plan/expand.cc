// SPDX-License-Identifier: Apache-2.0
#include "plan/expand.h"

#include <algorithm>

namespace promptsweep {
namespace {

const ModelEntry* find_model(const SweepConfig& config, const std::string& name) {
  const auto alias = config.model_aliases.find(name);
  const std::string& id = alias == config.model_aliases.end() ? name : alias->second;
  for (const ModelEntry& model : config.models) {
    if (model.id == id || model.alias == name) return &model;
  }
  return nullptr;
}

const PromptSet* find_prompt_set(const SweepConfig& config, const std::string& name) {
  for (const PromptSet& set : config.prompt_sets) {
    if (set.name == name) return &set;
  }
  return nullptr;
}

std::vector<double> ascending(std::vector<double> temps) {
  std::sort(temps.begin(), temps.end());
  temps.erase(std::unique(temps.begin(), temps.end()), temps.end());
  return temps;
}

std::optional<double> base_top_p(const SweepConfig& config) {
  return config.top_p_null ? std::nullopt : std::optional<double>(config.top_p);
}

std::optional<int> base_top_k(const SweepConfig& config) {
  return config.top_k_null ? std::nullopt : std::optional<int>(config.top_k);
}

Result<Cell> cell_for(const SweepConfig& config, const std::string& model,
                      const std::string& prompt_set) {
  Cell cell;
  cell.model = find_model(config, model);
  if (cell.model == nullptr) {
    return Error{Code::invalid_input,
                 "the model \"" + model + "\" is not among the configured models"};
  }
  cell.prompt_set = find_prompt_set(config, prompt_set);
  if (cell.prompt_set == nullptr) {
    return Error{Code::invalid_input, "the prompt set \"" + prompt_set + "\" is not configured"};
  }
  cell.temps = ascending(config.temps);
  cell.top_p = base_top_p(config);
  cell.top_k = base_top_k(config);
  cell.max_new_tokens = config.max_new_tokens;
  return cell;
}

Result<std::vector<Cell>> explicit_cells(const SweepConfig& config) {
  std::vector<Cell> cells;
  for (const TrialEntry& trial : config.trials) {
    Result<Cell> cell =
        cell_for(config, trial.model, trial.prompt_set.value_or(config.default_prompt_set));
    if (!cell) return std::move(cell).error().in(trial.place.text());
    cell->user_id = trial.id;
    if (trial.temps) cell->temps = ascending(*trial.temps);
    if (trial.top_p) cell->top_p = trial.top_p;
    if (trial.top_k) cell->top_k = trial.top_k;
    if (trial.max_new_tokens) cell->max_new_tokens = *trial.max_new_tokens;
    cells.push_back(std::move(cell).value());
  }
  return cells;
}

template <class T>
std::vector<T> or_base(const std::vector<T>& list, T base) {
  return list.empty() ? std::vector<T>{std::move(base)} : list;
}

// The settings axes of the grid: top_p x top_k x open limit x closed limit.
std::vector<Cell> sampling_grid(const SweepConfig& config, const Cell& base) {
  const SweepGrid grid = config.sweep.value_or(SweepGrid{});
  std::vector<Cell> out;
  for (const auto& top_p : or_base(grid.top_p, base.top_p)) {
    for (const auto& top_k : or_base(grid.top_k, base.top_k)) {
      for (int open : or_base(grid.max_new_tokens_open, base.max_new_tokens.open_book)) {
        for (int closed : or_base(grid.max_new_tokens_closed, base.max_new_tokens.closed_book)) {
          Cell cell = base;
          cell.top_p = top_p;
          cell.top_k = top_k;
          cell.max_new_tokens = {closed, open};
          out.push_back(std::move(cell));
        }
      }
    }
  }
  return out;
}

Result<std::vector<Cell>> grid_cells(const SweepConfig& config) {
  const SweepGrid grid = config.sweep.value_or(SweepGrid{});
  std::vector<std::string> models = grid.models;
  if (models.empty()) {
    for (const ModelEntry& model : config.models) models.push_back(model.id);
  }
  std::vector<Cell> cells;
  for (const std::string& model : models) {
    for (const std::string& set : or_base(grid.prompt_sets, config.default_prompt_set)) {
      Result<Cell> cell = cell_for(config, model, set);
      if (!cell) return std::move(cell).error().in(config.file.filename().string());
      if (!grid.temps.empty()) cell->temps = ascending(grid.temps);
      for (Cell& one : sampling_grid(config, *cell)) cells.push_back(std::move(one));
    }
  }
  return cells;
}

}  // namespace

Result<std::vector<Cell>> expand_cells(const SweepConfig& config) {
  return config.trials.empty() ? grid_cells(config) : explicit_cells(config);
}

}  // namespace promptsweep
