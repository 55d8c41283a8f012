// SPDX-License-Identifier: Apache-2.0
// Writes config/schema/sweep_config.schema.json and docs/configuration.md from the option table,
// or, with --check, says whether they are up to date. Run by the target config_reference and by a
// test.
#include <iostream>

#include "base/env.h"
#include "config/load.h"

int main(int argc, char** argv) {
  using namespace promptsweep;
  const bool check = argc == 3 && std::string(argv[2]) == "--check";
  if (argc < 2 || (argc == 3 && !check)) {
    std::cerr << "usage: config_reference REPOSITORY [--check]\n";
    return 2;
  }
  const std::filesystem::path root = argv[1];
  const std::pair<std::filesystem::path, std::string> files[] = {
      {root / "config" / "schema" / "sweep_config.schema.json", config_schema_json()},
      {root / "docs" / "configuration.md", options_markdown()}};
  int stale = 0;
  for (const auto& [path, text] : files) {
    const Result<std::string> now = read_file(path);
    if (now && *now == text) continue;
    if (check) {
      std::cerr << path.string()
                << " is not what the option table says; build the target config_reference\n";
      stale = 1;
    } else if (Status written = write_file_atomic(path, text); !written) {
      std::cerr << written.error().text << '\n';
      return 1;
    }
  }
  return stale;
}
