// SPDX-License-Identifier: Apache-2.0
// Which run a command means: a named one, the newest incomplete one of the same command, or a new
// one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace promptsweep {

struct RunChoice {
  std::string run_id;
  std::filesystem::path folder;
  bool exists = false;
  std::string state;  // of an existing run
};

struct RunWish {
  std::filesystem::path experiments_folder;
  std::optional<std::string> run_id;           // --run_id
  std::optional<std::filesystem::path> place;  // of the run that `resume` names
  bool always_new = false;                     // --new
  bool dry_run = false;
  std::string config_sha256;
  std::string command_line_json;  // as below
};

// Code::invalid_input: a run id that cannot be a folder name, or that a run of this kind may not
// have.
Result<RunChoice> choose_run(const RunWish& wish);

// The arguments that `resume` gives again: without the run's name, how to print, and the flags that
// choose phases.
std::vector<std::string> lasting_arguments(const std::vector<std::string>& arguments);
// The arguments that make a command the same command, as a JSON array.
std::string command_line_json(const std::vector<std::string>& arguments);

}  // namespace promptsweep
