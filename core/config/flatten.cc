// SPDX-License-Identifier: Apache-2.0
#include "config/flatten.h"

#include "config/document.h"
#include "records/decoding.h"

namespace promptsweep {
namespace {

using Values = std::map<std::string, std::string>;

std::string scalar_text(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return "null";
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted: a text whatever it looks like
  if (const std::optional<std::int64_t> value = as_integer(text)) return std::to_string(*value);
  if (const std::optional<double> value = as_number(text)) return format_number(*value);
  if (const std::optional<bool> value = as_boolean(text)) return *value ? "true" : "false";
  return text;
}

bool is_flat(const YAML::Node& list) {
  for (const YAML::Node& element : list) {
    if (element.IsMap() || element.IsSequence()) return false;
  }
  return true;
}

std::string element_name(const YAML::Node& element, std::size_t position) {
  for (const char* key : {"id", "name", "alias"}) {
    const YAML::Node named = child(element, key);
    if (named.IsDefined() && named.IsScalar()) return named.Scalar();
  }
  return element.IsScalar() ? element.Scalar() : std::to_string(position);
}

void flatten(const YAML::Node& node, const std::string& path, Values& out) {
  if (node.IsMap()) {
    if (node.size() == 0) out[path] = "{}";
    for (const auto& entry : node) {
      const std::string key = scalar_text(entry.first);
      flatten(entry.second, path.empty() ? key : path + "." + key, out);
    }
    return;
  }
  if (!node.IsSequence()) {
    out[path] = scalar_text(node);
    return;
  }
  if (is_flat(node)) {
    std::string list;
    for (const YAML::Node& element : node)
      list += (list.empty() ? "" : ", ") + scalar_text(element);
    out[path] = "[" + list + "]";
    return;
  }
  for (std::size_t i = 0; i < node.size(); ++i) {
    std::string name = element_name(node[i], i);
    // Two elements of one name stay two.
    if (out.lower_bound(path + "[" + name + "]") != out.end() &&
        out.lower_bound(path + "[" + name + "]")->first.starts_with(path + "[" + name + "]")) {
      name += "#" + std::to_string(i);
    }
    flatten(node[i], path + "[" + name + "]", out);
  }
}

}  // namespace

Result<std::map<std::string, std::string>> flatten_document(const std::string& text,
                                                            const std::string& what) {
  Values out;
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsDefined() && !root.IsNull()) flatten(root, "", out);
  } catch (const YAML::Exception& failed) {
    return Error{Code::data, what + " cannot be read: " + failed.what()};
  }
  return out;
}

}  // namespace promptsweep
