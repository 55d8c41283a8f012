// SPDX-License-Identifier: Apache-2.0
// A YAML document beside the option table: checking it and reading typed values from it. The only
// header of the project that shows yaml-cpp; used inside config alone.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/options.h"
#include "config/sweep_config.h"

namespace promptsweep {

// Collects everything that is wrong or dead, one line each, so that a file is corrected in one go.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  Place place(const YAML::Node& node) const;
  // "FILE:LINE:COLUMN key: text"
  void add(const YAML::Node& at, const std::string& key, const std::string& text);
  void warn(const YAML::Node& at, const std::string& key, const std::string& text);

  bool empty() const { return lines_.empty(); }
  std::string text() const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::string line(const YAML::Node& at, const std::string& key, const std::string& text) const;

  std::string file_;
  std::vector<std::string> lines_;
  std::vector<std::string> warnings_;
};

// Unknown and repeated keys, wrong types, values out of range, dead options.
void check_document(const YAML::Node& root, Problems& problems);

// Values of a checked document. Absent and null both give nullopt.
std::optional<std::string> read_string(const YAML::Node& node);
std::optional<double> read_number(const YAML::Node& node);
std::optional<std::int64_t> read_integer(const YAML::Node& node);
std::optional<bool> read_boolean(const YAML::Node& node);
std::vector<std::string> read_strings(const YAML::Node& node);
std::vector<double> read_numbers(const YAML::Node& node);

// Scalars as YAML 1.2 reads them: is `text` a number, a whole number, a boolean?
std::optional<double> as_number(const std::string& text);
std::optional<std::int64_t> as_integer(const std::string& text);
std::optional<bool> as_boolean(const std::string& text);

// A YAML value as canonical JSON (keys sorted). `places` gets a JSON pointer for every mapping key.
std::string to_json_text(const YAML::Node& node);
void collect_places(const YAML::Node& node, const std::string& pointer, const Problems& problems,
                    std::map<std::string, Place>& places);

// One child of a mapping without creating it.
YAML::Node child(const YAML::Node& node, const std::string& key);
// The key's own node, for its place.
YAML::Node key_node(const YAML::Node& mapping, const std::string& key);

}  // namespace promptsweep
