// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/env.h"
#include "cli/arguments.h"
#include "cli/command.h"

namespace promptsweep {
namespace {

const std::vector<Command>& commands() {
  static const std::vector<Command> all{
      {"run", "run a sweep: every trial, scored, tested and reported", &cmd_run},
      {"resume", "continue a run as it was asked for", &cmd_resume},
      {"stop", "ask the process that works on a run to stop", &cmd_stop},
      {"plan", "show what a sweep would run; writes nothing", &cmd_plan},
      {"check", "check configuration, data, plugins and memory before a run", &cmd_check},
      {"prepare", "make the prepared data files from the official downloads", &cmd_prepare},
      {"score", "score a file of predictions against a data set", &cmd_score},
      {"list", "list the runs of an experiments folder", &cmd_list},
      {"verify", "make a run's numbers again and compare; check its seal", &cmd_verify},
      {"status", "how far a run is, who runs it, and how to go on", &cmd_status},
      {"show", "everything that is recorded of a run", &cmd_show},
      {"compare", "two runs side by side over the items they share", &cmd_compare},
      {"archive", "seal a run: checksums, read-only, on request one .tar.zst", &cmd_archive},
      {"clean", "remove runs, or what an edit left behind; shows it first", &cmd_clean},
      {"cache", "show or shrink the answers kept for later runs", &cmd_cache},
  };
  return all;
}

void print_usage(std::ostream& out) {
  out << "promptsweep - did this prompt change anything?\n\n"
         "usage: promptsweep COMMAND [options]\n\n";
  for (const Command& command : commands()) {
    out << "  " << command.name << std::string(10 - command.name.size(), ' ') << command.summary
        << '\n';
  }
  out << "\nFor example:\n"
         "  promptsweep plan --config config/eval_config.demo.yaml\n"
         "  promptsweep run --config config/eval_config.demo.yaml --limit_items 40\n\n"
         "promptsweep COMMAND --help shows a command's options.\n"
         "Exit codes: 0 done, 1 the run failed, 2 bad input, 130 interrupted.\n";
}

int dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    print_usage(std::cerr);
    return exit_bad_input;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print_usage(std::cout);
    return exit_ok;
  }
  if (arguments[0] == "--version") {
    std::cout << "promptsweep " << PROMPTSWEEP_VERSION << '\n';
    return exit_ok;
  }
  for (const Command& command : commands()) {
    if (command.name == arguments[0]) return command.run({arguments.begin() + 1, arguments.end()});
  }
  return fail(Error{Code::invalid_input, "unknown command \"" + arguments[0] +
                                             "\"; promptsweep --help lists the commands"});
}

}  // namespace
}  // namespace promptsweep

int main(int argc, char** argv) {
  promptsweep::survive_file_size_limit();
  try {
    return promptsweep::dispatch({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "promptsweep: internal error: " << error.what() << '\n';
    return promptsweep::exit_failed;
  }
}
