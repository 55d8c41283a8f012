// SPDX-License-Identifier: Apache-2.0
// The command line. Flags work with '-' and '_' alike; lists accept spaces and commas.
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"

namespace promptsweep {

// "--limit-items=5" -> "--limit_items=5"; values and single dashes are left alone.
std::vector<std::string> with_underscores(std::vector<std::string> arguments);

struct ParsedArguments {
  boost::program_options::variables_map values;
  bool help = false;

  bool has(const std::string& name) const { return values.count(name) > 0; }
  template <class T>
  T get(const std::string& name) const {
    return values[name].as<T>();
  }
  // All values of a list option, split at commas.
  std::vector<std::string> list(const std::string& name) const;
};

// Code::invalid_input with one sentence for an unknown or malformed option. `positional`: which
// options take arguments without a name.
Result<ParsedArguments> parse_arguments(
    const std::vector<std::string>& arguments,
    const boost::program_options::options_description& options,
    const boost::program_options::positional_options_description& positional = {});

// Prints "promptsweep: <error>" to stderr and returns the exit code that belongs to it.
int fail(const Error& error);

}  // namespace promptsweep
