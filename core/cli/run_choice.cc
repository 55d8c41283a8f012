// SPDX-License-Identifier: Apache-2.0
#include "cli/run_choice.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/env.h"
#include "cli/arguments.h"
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
std::string new_run_id(const std::filesystem::path& experiments_folder) {
  std::string stamp = "r";
  for (char c : utc_now().substr(0, 19)) {
    if (c >= '0' && c <= '9') stamp += c;
  }
  std::string id = stamp;
  for (int n = 2; std::filesystem::exists(experiments_folder / ("run_" + id)); ++n) {
    id = stamp + "-" + std::to_string(n);
  }
  return id;
}

}  // namespace

std::string command_line_json(const std::vector<std::string>& arguments) {
  static const std::set<std::string> with_value{"--run_id"};
  static const std::set<std::string> alone{"--new", "--quiet", "--json", "--archive"};
  nlohmann::json out = nlohmann::json::array();
  const std::vector<std::string> normal = with_underscores(arguments);
  for (std::size_t i = 0; i < normal.size(); ++i) {
    const std::string name = normal[i].substr(0, normal[i].find('='));
    if (alone.contains(name)) continue;
    if (with_value.contains(name)) {
      if (name.size() == normal[i].size()) ++i;
      continue;
    }
    out.push_back(normal[i]);
  }
  return out.dump();
}

Result<RunChoice> choose_run(const RunWish& wish) {
  RunChoice choice;
  if (wish.run_id) {
    if (!can_be_folder_name(*wish.run_id)) {
      return Error{Code::invalid_input,
                   "--run_id \"" + *wish.run_id +
                       "\" cannot be a folder name; use up to 64 of A-Z a-z 0-9 . _ -"};
    }
    choice.run_id = *wish.run_id;
  }
  Result<std::vector<RunSummary>> runs = list_runs(wish.experiments_folder);
  if (!runs) return std::move(runs).error();
  for (const RunSummary& run : *runs) {
    const bool named = wish.run_id && run.run_id == *wish.run_id;
    const bool same_command = !wish.run_id && !wish.always_new && run.state == "incomplete" &&
                              run.config_sha256 == wish.config_sha256 &&
                              run.command_line_json == wish.command_line_json;
    if (!named && !same_command) continue;
    choice.run_id = run.run_id;
    choice.exists = true;
    choice.state = run.state;
    break;
  }
  if (choice.run_id.empty()) choice.run_id = new_run_id(wish.experiments_folder);
  choice.folder = wish.experiments_folder / ("run_" + choice.run_id);
  return choice;
}

}  // namespace promptsweep
