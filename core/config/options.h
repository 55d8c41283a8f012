// SPDX-License-Identifier: Apache-2.0
// The single table of configuration options. The YAML check, the JSON Schema, the reference page
// and the messages come from it; to add an option, add a row.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace promptsweep {

enum class OptionKind {
  string,
  path,
  integer,
  number,
  boolean,
  strings,  // a list; one string is a list of one
  numbers,
  integers,
  group,       // a mapping whose keys are rows of their own
  open_group,  // like group, but other keys are allowed (prices of a provider)
  list,        // a list of groups
  models,      // a list whose elements are strings or groups
  any,         // handed on unread: options of a plugin or a provider
};

// A row. `path` is dotted; "*" stands for any key and "[]" for the elements of a list.
struct Option {
  std::string path;
  OptionKind kind = OptionKind::string;
  std::string fallback;  // the default in words or as a value; empty: none
  std::string help;      // one sentence
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_is_open = false;          // the value must be above `low`
  std::vector<std::string> choices;  // enum
  bool nullable = false;
  std::string instead;  // of a dead option: what replaces it

  bool dead() const { return !instead.empty(); }
};

const std::vector<Option>& option_table();

// The table as a tree, for walking beside a document.
struct OptionNode {
  const Option* option = nullptr;  // absent only at the root
  std::map<std::string, std::unique_ptr<OptionNode>> children;
  std::unique_ptr<OptionNode> any_key;  // "*"
  std::unique_ptr<OptionNode> element;  // "[]"
};
const OptionNode& option_tree();

// "a number in [0, 2]", "one of a, b": what an option allows, for messages.
std::string allowed_text(const Option& option);

// The known name that `name` was probably meant to be (at most two edits away), or empty.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace promptsweep
