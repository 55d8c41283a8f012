// SPDX-License-Identifier: Apache-2.0
// Good files load, their effective form loads to the same; bad files give the message that stands
// beside them. A corpus file sees the prompt files of this repository: paths are relative to the
// current folder.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "base/env.h"
#include "config/load.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

const std::filesystem::path root = PROMPTSWEEP_SOURCE_DIR;

struct InRepository {
  InRepository() { std::filesystem::current_path(root); }
};

std::vector<std::filesystem::path> yaml_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string text_of(const Result<SweepConfig>& config) { return config ? "" : config.error().text; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(corpus, InRepository)

BOOST_AUTO_TEST_CASE(good_files_load_and_so_does_their_effective_form) {
  const auto files = yaml_files(root / "tests/config/corpus/good");
  BOOST_TEST(files.size() >= 12u);
  TemporaryFolder folder;
  for (const auto& file : files) {
    const Result<SweepConfig> config = load_config(file, {});
    BOOST_TEST_CONTEXT(file.filename().string()) {
      BOOST_REQUIRE_MESSAGE(config, text_of(config));
      BOOST_REQUIRE(write_file_atomic(folder / "effective.yaml", config->effective_yaml));
      const Result<SweepConfig> again = load_config(folder / "effective.yaml", {});
      BOOST_REQUIRE_MESSAGE(again, text_of(again));
      BOOST_TEST(again->effective_yaml == config->effective_yaml);
      BOOST_TEST((again->temps == config->temps));
      BOOST_TEST(again->models.size() == config->models.size());
      BOOST_TEST((again->samples_per_item == config->samples_per_item));
    }
  }
}

BOOST_AUTO_TEST_CASE(shipped_files_load) {
  for (const auto& file : yaml_files(root / "config")) {
    const Result<SweepConfig> config = load_config(file, {});
    BOOST_TEST_CONTEXT(file.filename().string()) {
      BOOST_TEST(static_cast<bool>(config), text_of(config));
    }
  }
}

// An .expected file: lines that must occur in the message, each with "N:" standing for its place in
// the file ("LINE:COLUMN key: ..."); "schema:" lines speak to schema_test.py.
BOOST_AUTO_TEST_CASE(bad_files_give_the_expected_message) {
  const auto files = yaml_files(root / "tests/config/corpus/bad");
  BOOST_TEST(files.size() >= 40u);
  for (const auto& file : files) {
    std::filesystem::path expected = file;
    expected.replace_extension(".expected");
    const Result<SweepConfig> config = load_config(file, {});
    BOOST_TEST_CONTEXT(file.filename().string()) {
      BOOST_REQUIRE(!config);
      BOOST_TEST((config.error().code == Code::invalid_input));
      std::istringstream lines(read_file(expected).value());
      int checked = 0;
      for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.starts_with("schema:")) continue;
        ++checked;
        BOOST_TEST(config.error().text.find(line) != std::string::npos,
                   "wanted: " << line << "\nfound: " << config.error().text);
      }
      BOOST_TEST(checked > 0);
      BOOST_TEST(config.error().text.starts_with(file.string()));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
