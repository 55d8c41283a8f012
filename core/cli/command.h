// SPDX-License-Identifier: Apache-2.0
// One command of the program: one file cmd_<name>.cc each.
#pragma once

#include <string>
#include <vector>

namespace promptsweep {

// Exit codes, decided here and nowhere else.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;         // the run failed; the message says how to go on
inline constexpr int exit_bad_input = 2;      // usage, configuration, data, plugin options
inline constexpr int exit_interrupted = 130;  // Ctrl-C

struct Command {
  std::string name;
  std::string summary;
  // `arguments` without program and command name. Returns the exit code.
  int (*run)(const std::vector<std::string>& arguments);
};

int cmd_run(const std::vector<std::string>& arguments);
int cmd_resume(const std::vector<std::string>& arguments);
int cmd_stop(const std::vector<std::string>& arguments);
int cmd_plan(const std::vector<std::string>& arguments);
int cmd_check(const std::vector<std::string>& arguments);
int cmd_prepare(const std::vector<std::string>& arguments);
int cmd_score(const std::vector<std::string>& arguments);
int cmd_list(const std::vector<std::string>& arguments);
int cmd_verify(const std::vector<std::string>& arguments);
int cmd_status(const std::vector<std::string>& arguments);
int cmd_show(const std::vector<std::string>& arguments);
int cmd_compare(const std::vector<std::string>& arguments);
int cmd_archive(const std::vector<std::string>& arguments);
int cmd_clean(const std::vector<std::string>& arguments);
int cmd_cache(const std::vector<std::string>& arguments);

}  // namespace promptsweep
