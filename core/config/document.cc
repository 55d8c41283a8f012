// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "records/decoding.h"

namespace promptsweep {

std::string Place::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

Place Problems::place(const YAML::Node& node) const {
  const YAML::Mark mark = node.Mark();
  // Nodes that overrides made have no mark of their own.
  if (mark.is_null()) return {"command line", 0, 0};
  return {file_, mark.line + 1, mark.column + 1};
}

std::string Problems::line(const YAML::Node& at, const std::string& key,
                           const std::string& text) const {
  return place(at).text() + " " + key + ": " + text;
}

void Problems::add(const YAML::Node& at, const std::string& key, const std::string& text) {
  lines_.push_back(line(at, key, text));
}

void Problems::warn(const YAML::Node& at, const std::string& key, const std::string& text) {
  warnings_.push_back(line(at, key, text));
}

std::string Problems::text() const {
  std::string out;
  for (const std::string& one : lines_) out += (out.empty() ? "" : "\n") + one;
  return out;
}

std::optional<std::int64_t> as_integer(const std::string& text) {
  std::int64_t value = 0;
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<bool> as_boolean(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

YAML::Node child(const YAML::Node& node, const std::string& key) {
  if (!node.IsDefined() || !node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
  return node[key];
}

YAML::Node key_node(const YAML::Node& mapping, const std::string& key) {
  for (const auto& entry : mapping) {
    if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.first;
  }
  return mapping;
}

namespace {

// A quoted scalar is a text whatever it looks like; yaml-cpp tags it "!".
bool is_quoted(const YAML::Node& node) { return node.Tag() == "!"; }

std::string found_text(const YAML::Node& node) {
  if (node.IsNull()) return "null";
  if (node.IsScalar()) return "\"" + node.Scalar() + "\"";
  return node.IsMap() ? "a mapping" : "a list";
}

class Checker {
 public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void check_group(const YAML::Node& node, const OptionNode& tree, const std::string& path,
                   bool closed) {
    if (!node.IsMap()) {
      problems_.add(node, path.empty() ? "document" : path,
                    "found " + found_text(node) + "; allowed is a mapping");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        problems_.add(entry.first, path, "a key must be a text");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      const std::string full = path.empty() ? key : path + "." + key;
      if (!seen.insert(key).second) {
        problems_.add(entry.first, full, "this key stands here twice; remove one");
        continue;
      }
      const auto known = tree.children.find(key);
      if (known != tree.children.end()) {
        check(entry.first, entry.second, *known->second, full);
      } else if (tree.any_key) {
        check(entry.first, entry.second, *tree.any_key, full);
      } else if (closed) {
        report_unknown(entry.first, tree, full, key);
      }
    }
  }

 private:
  void report_unknown(const YAML::Node& at, const OptionNode& tree, const std::string& full,
                      const std::string& key) {
    std::vector<std::string> names;
    for (const auto& [name, node] : tree.children) {
      if (!node->option->dead()) names.push_back(name);
    }
    std::string text = "unknown key";
    if (const std::string near = nearest_name(key, names); !near.empty()) {
      text += "; did you mean \"" + near + "\"?";
    } else {
      text += "; allowed here:";
      for (const std::string& name : names) text += " " + name;
    }
    problems_.add(at, full, text);
  }

  void wrong(const YAML::Node& node, const Option& option, const std::string& path) {
    problems_.add(node, path, "found " + found_text(node) + "; allowed is " + allowed_text(option));
  }

  void check(const YAML::Node& key, const YAML::Node& node, const OptionNode& tree,
             const std::string& path) {
    const Option& option = *tree.option;
    if (option.dead()) problems_.warn(key, path, "has no effect; instead: " + option.instead);
    if (node.IsNull()) {
      // An empty group or list is the same as an absent one.
      const bool emptiable = option.kind == OptionKind::group || option.kind == OptionKind::list ||
                             option.kind == OptionKind::models ||
                             option.kind == OptionKind::open_group ||
                             option.kind == OptionKind::any;
      if (!option.nullable && !emptiable) wrong(node, option, path);
      return;
    }
    switch (option.kind) {
      case OptionKind::group:
        check_group(node, tree, path, true);
        break;
      case OptionKind::open_group:
        check_group(node, tree, path, false);
        break;
      case OptionKind::any:
        if (!node.IsMap()) {
          wrong(node, option, path);
        } else {
          check_keys(node, path);
        }
        break;
      case OptionKind::list:
      case OptionKind::models:
        check_list(node, tree, path);
        break;
      case OptionKind::strings:
      case OptionKind::numbers:
      case OptionKind::integers:
        check_scalars(node, option, path);
        break;
      default:
        check_scalar(node, option, path);
    }
  }

  // A mapping that is handed on unread: its keys must be texts that stand there once.
  void check_keys(const YAML::Node& node, const std::string& path) {
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        problems_.add(entry.first, path, "a key must be a text");
      } else if (!seen.insert(entry.first.Scalar()).second) {
        problems_.add(entry.first, path + "." + entry.first.Scalar(),
                      "this key stands here twice; remove one");
      } else if (entry.second.IsMap()) {
        check_keys(entry.second, path + "." + entry.first.Scalar());
      }
    }
  }

  void check_list(const YAML::Node& node, const OptionNode& tree, const std::string& path) {
    if (!node.IsSequence()) return wrong(node, *tree.option, path);
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string element = path + "[" + std::to_string(i) + "]";
      if (tree.option->kind == OptionKind::models && node[i].IsScalar()) continue;
      check_group(node[i], *tree.element, element, true);
    }
  }

  void check_scalars(const YAML::Node& node, const Option& option, const std::string& path) {
    if (node.IsScalar()) return check_scalar(node, option, path);
    if (!node.IsSequence()) return wrong(node, option, path);
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node[i].IsNull() && option.nullable) continue;
      check_scalar(node[i], option, path + "[" + std::to_string(i) + "]");
    }
  }

  void check_scalar(const YAML::Node& node, const Option& option, const std::string& path) {
    if (!node.IsScalar() || !scalar_fits(node, option)) wrong(node, option, path);
  }

  static bool in_bounds(double value, const Option& option) {
    return value <= option.high && (option.low_is_open ? value > option.low : value >= option.low);
  }

  static bool scalar_fits(const YAML::Node& node, const Option& option) {
    const std::string& text = node.Scalar();
    switch (option.kind) {
      case OptionKind::integer:
      case OptionKind::integers: {
        const std::optional<std::int64_t> value = as_integer(text);
        return value && !is_quoted(node) && in_bounds(static_cast<double>(*value), option);
      }
      case OptionKind::number:
      case OptionKind::numbers: {
        const std::optional<double> value = as_number(text);
        return value && !is_quoted(node) && in_bounds(*value, option);
      }
      case OptionKind::boolean:
        return as_boolean(text).has_value() && !is_quoted(node);
      default:
        break;
    }
    if (option.choices.empty()) return !text.empty() || option.kind == OptionKind::strings;
    for (const std::string& choice : option.choices) {
      if (choice == text) return true;
    }
    return false;
  }

  Problems& problems_;
};

nlohmann::json to_json(const YAML::Node& node) {
  using nlohmann::json;
  if (!node.IsDefined() || node.IsNull()) return nullptr;
  if (node.IsMap()) {
    json out = json::object();
    for (const auto& entry : node) out[entry.first.Scalar()] = to_json(entry.second);
    return out;
  }
  if (node.IsSequence()) {
    json out = json::array();
    for (const YAML::Node& element : node) out.push_back(to_json(element));
    return out;
  }
  const std::string& text = node.Scalar();
  if (is_quoted(node)) return text;
  if (const auto value = as_boolean(text)) return *value;
  if (const auto value = as_integer(text)) return *value;
  if (const auto value = as_number(text)) return *value;
  return text;
}

}  // namespace

void check_document(const YAML::Node& root, Problems& problems) {
  Checker(problems).check_group(root, option_tree(), "", true);
}

std::optional<std::string> read_string(const YAML::Node& node) {
  if (!node.IsDefined() || !node.IsScalar()) return std::nullopt;
  return node.Scalar();
}

std::optional<double> read_number(const YAML::Node& node) {
  if (!node.IsDefined() || !node.IsScalar()) return std::nullopt;
  return as_number(node.Scalar());
}

std::optional<std::int64_t> read_integer(const YAML::Node& node) {
  if (!node.IsDefined() || !node.IsScalar()) return std::nullopt;
  return as_integer(node.Scalar());
}

std::optional<bool> read_boolean(const YAML::Node& node) {
  if (!node.IsDefined() || !node.IsScalar()) return std::nullopt;
  return as_boolean(node.Scalar());
}

std::vector<std::string> read_strings(const YAML::Node& node) {
  std::vector<std::string> out;
  if (!node.IsDefined()) return out;
  if (node.IsScalar()) out.push_back(node.Scalar());
  if (node.IsSequence()) {
    for (const YAML::Node& element : node) out.push_back(element.Scalar());
  }
  return out;
}

std::vector<double> read_numbers(const YAML::Node& node) {
  std::vector<double> out;
  for (const std::string& text : read_strings(node)) {
    if (const std::optional<double> value = as_number(text)) out.push_back(*value);
  }
  return out;
}

std::string to_json_text(const YAML::Node& node) {
  const nlohmann::json out = to_json(node);
  return out.is_null() ? "{}" : out.dump();
}

void collect_places(const YAML::Node& node, const std::string& pointer, const Problems& problems,
                    std::map<std::string, Place>& places) {
  if (!node.IsDefined() || !node.IsMap()) return;
  for (const auto& entry : node) {
    const std::string here = pointer + "/" + entry.first.Scalar();
    places[here] = problems.place(entry.first);
    collect_places(entry.second, here, problems, places);
  }
}

}  // namespace promptsweep
