// SPDX-License-Identifier: Apache-2.0
#include "cli/run_choice.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/env.h"
#include "cli/arguments.h"
#include "records/plan.h"
#include "store/catalog.h"

namespace promptsweep {
namespace {

bool can_be_folder_name(const std::string& id) {
  if (id.empty() || id.size() > 64 || id.front() == '.' || id.back() == '.') return false;
  for (char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (!plain) return false;
  }
  return true;
}

// r and the UTC time to the second, as in the original; a second run within one second gets -2.
std::string new_run_id(const RunWish& wish) {
  std::string stamp = (wish.dry_run ? std::string(dry_run_prefix) : "") + "r";
  for (char c : utc_now().substr(0, 19)) {
    if (c >= '0' && c <= '9') stamp += c;
  }
  std::string id = stamp;
  for (int n = 2; std::filesystem::exists(wish.experiments_folder / run_folder_name(id)); ++n) {
    id = stamp + "-" + std::to_string(n);
  }
  return id;
}

// What --run_id means for this kind of run: a dry run's id always carries its prefix.
Result<std::string> wished_id(const RunWish& wish) {
  if (!can_be_folder_name(*wish.run_id)) {
    return Error{Code::invalid_input,
                 "--run_id \"" + *wish.run_id +
                     "\" cannot be a folder name; use up to 64 of A-Z a-z 0-9 . _ -"};
  }
  if (!wish.dry_run && is_dry_run(*wish.run_id)) {
    return Error{Code::invalid_input, "--run_id \"" + *wish.run_id + "\": ids that begin with " +
                                          std::string(dry_run_prefix) +
                                          " are for dry runs (--dry_run)"};
  }
  if (wish.dry_run && !is_dry_run(*wish.run_id)) {
    return std::string(dry_run_prefix) + *wish.run_id;
  }
  return *wish.run_id;
}

Result<RunChoice> run_at(const std::filesystem::path& folder) {
  Result<std::unique_ptr<RunStore>> run = RunStore::open_read_only(folder);
  if (!run) return std::move(run).error();
  Result<RunPlan> plan = (*run)->plan();
  if (!plan) return std::move(plan).error();
  Result<std::string> state = (*run)->state();
  if (!state) return std::move(state).error();
  return RunChoice{plan->run_id, folder, true, *state};
}

}  // namespace

std::vector<std::string> lasting_arguments(const std::vector<std::string>& arguments) {
  static const std::set<std::string> with_value{"--run_id", "--only_step", "--from_step",
                                                "--to_step", "--force_step"};
  static const std::set<std::string> alone{"--new", "--quiet", "--json", "--resume",
                                           "--accept_engine_change"};
  std::vector<std::string> out;
  const std::vector<std::string> normal = with_underscores(arguments);
  for (std::size_t i = 0; i < normal.size(); ++i) {
    const std::string name = normal[i].substr(0, normal[i].find('='));
    if (alone.contains(name) || name.starts_with("--skip_")) continue;
    if (with_value.contains(name)) {
      if (name.size() == normal[i].size()) ++i;
      continue;
    }
    out.push_back(normal[i]);
  }
  return out;
}

std::string command_line_json(const std::vector<std::string>& arguments) {
  std::vector<std::string> lasting = lasting_arguments(arguments);
  std::erase(lasting, "--archive");
  return nlohmann::json(lasting).dump();
}

Result<RunChoice> choose_run(const RunWish& wish) {
  RunChoice choice;
  if (wish.place) return run_at(*wish.place);
  if (wish.run_id) {
    Result<std::string> id = wished_id(wish);
    if (!id) return std::move(id).error();
    choice.run_id = *std::move(id);
  }
  Result<std::vector<RunSummary>> runs = list_runs(wish.experiments_folder);
  if (!runs) return std::move(runs).error();
  for (const RunSummary& run : *runs) {
    const bool named = wish.run_id && run.run_id == choice.run_id;
    const bool same_command = !wish.run_id && !wish.always_new && run.state == "incomplete" &&
                              is_dry_run(run.run_id) == wish.dry_run &&
                              run.config_sha256 == wish.config_sha256 &&
                              run.command_line_json == wish.command_line_json;
    if (!named && !same_command) continue;
    choice.run_id = run.run_id;
    // A process that was killed right after it made the folder left no record in it.
    std::error_code ignored;
    choice.exists = std::filesystem::exists(run.folder / "run.sqlite", ignored);
    choice.state = choice.exists ? run.state : "";
    break;
  }
  if (choice.run_id.empty()) choice.run_id = new_run_id(wish);
  choice.folder = wish.experiments_folder / run_folder_name(choice.run_id);
  return choice;
}

}  // namespace promptsweep
