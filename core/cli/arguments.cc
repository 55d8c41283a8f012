// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <algorithm>
#include <iostream>

namespace promptsweep {

namespace po = boost::program_options;

std::vector<std::string> with_underscores(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    if (!argument.starts_with("--")) continue;
    const std::size_t end = std::min(argument.find('='), argument.size());
    std::replace(argument.begin() + 2, argument.begin() + static_cast<std::ptrdiff_t>(end), '-',
                 '_');
  }
  return arguments;
}

std::vector<std::string> ParsedArguments::list(const std::string& name) const {
  std::vector<std::string> out;
  if (!has(name)) return out;
  for (const std::string& value : get<std::vector<std::string>>(name)) {
    std::size_t from = 0;
    while (from <= value.size()) {
      const std::size_t comma = std::min(value.find(',', from), value.size());
      if (comma > from) out.push_back(value.substr(from, comma - from));
      from = comma + 1;
    }
  }
  return out;
}

Result<ParsedArguments> parse_arguments(const std::vector<std::string>& arguments,
                                        const po::options_description& options,
                                        const po::positional_options_description& positional) {
  po::options_description all(options);
  all.add_options()("help,h", "this text");
  ParsedArguments out;
  try {
    // No guessing: an option that is added later must not change what an old script means.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(with_underscores(arguments))
                  .options(all)
                  .positional(positional)
                  .style(style)
                  .run(),
              out.values);
    out.help = out.has("help");
    if (!out.help) po::notify(out.values);
  } catch (const po::error& error) {
    return Error{Code::invalid_input, std::string(error.what()) + "; --help lists the options"};
  }
  return out;
}

int fail(const Error& error) {
  std::cerr << "promptsweep: " << error.text << '\n';
  switch (error.code) {
    case Code::invalid_input:
      return exit_bad_input;
    case Code::cancelled:
      return exit_interrupted;
    default:
      return exit_failed;
  }
}

}  // namespace promptsweep
