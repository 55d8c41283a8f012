// SPDX-License-Identifier: Apache-2.0
// The option table as a JSON Schema (draft 7) and as a reference page.
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/load.h"
#include "config/options.h"

namespace promptsweep {
namespace {

using nlohmann::ordered_json;

ordered_json node_schema(const OptionNode& node);

void add_range(ordered_json& schema, const Option& option) {
  if (std::isfinite(option.low))
    schema[option.low_is_open ? "exclusiveMinimum" : "minimum"] = option.low;
  if (std::isfinite(option.high)) schema["maximum"] = option.high;
}

ordered_json scalar(const char* type, const Option& option) {
  ordered_json schema{{"type", type}};
  if (!option.choices.empty()) schema["enum"] = option.choices;
  add_range(schema, option);
  return schema;
}

// One value or a list of them; null elements where the option may be null.
ordered_json list_of(const char* type, const Option& option) {
  ordered_json element = scalar(type, option);
  if (option.nullable) element = {{"anyOf", ordered_json::array({element, {{"type", "null"}}})}};
  return {{"anyOf", ordered_json::array({element, {{"type", "array"}, {"items", element}}})}};
}

ordered_json group_schema(const OptionNode& node, bool closed) {
  ordered_json schema{{"type", "object"}};
  ordered_json properties = ordered_json::object();
  for (const auto& [name, child] : node.children) properties[name] = node_schema(*child);
  if (!properties.empty()) schema["properties"] = properties;
  if (node.any_key) {
    schema["additionalProperties"] = node_schema(*node.any_key);
  } else if (closed) {
    schema["additionalProperties"] = false;
  }
  return schema;
}

ordered_json kind_schema(const OptionNode& node) {
  const Option& option = *node.option;
  switch (option.kind) {
    case OptionKind::string:
    case OptionKind::path:
      return scalar("string", option);
    case OptionKind::integer:
      return scalar("integer", option);
    case OptionKind::number:
      return scalar("number", option);
    case OptionKind::boolean:
      return {{"type", "boolean"}};
    case OptionKind::strings:
      return list_of("string", option);
    case OptionKind::numbers:
      return list_of("number", option);
    case OptionKind::integers:
      return list_of("integer", option);
    case OptionKind::group:
      return group_schema(node, true);
    case OptionKind::open_group:
      return group_schema(node, false);
    case OptionKind::list:
      return {{"type", "array"}, {"items", group_schema(*node.element, true)}};
    case OptionKind::models:
      return {{"type", "array"},
              {"items",
               {{"anyOf",
                 ordered_json::array({{{"type", "string"}}, group_schema(*node.element, true)})}}}};
    case OptionKind::any:
      return {{"type", "object"}};
  }
  return ordered_json::object();
}

ordered_json node_schema(const OptionNode& node) {
  const Option& option = *node.option;
  ordered_json schema = kind_schema(node);
  if (option.nullable) schema = {{"anyOf", ordered_json::array({schema, {{"type", "null"}}})}};
  ordered_json out{{"description", option.help}};
  if (option.dead()) out["description"] = option.help + " Instead: " + option.instead + ".";
  if (!option.fallback.empty()) out["$comment"] = "default: " + option.fallback;
  out.update(schema);
  return out;
}

}  // namespace

std::string config_schema_json() {
  ordered_json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
                      {"$id", "promptsweep/sweep_config/1"},
                      {"title", "A promptsweep configuration"},
                      {"description", "Generated from the option table."}};
  schema.update(group_schema(option_tree(), true));
  return schema.dump(2) + "\n";
}

std::string options_markdown() {
  std::string out =
      "# Configuration reference\n\n"
      "Generated from the option table. `*` stands for a name of yours, `[]` for the elements of a "
      "list. The same as\n"
      "a JSON Schema for editors: `config/schema/sweep_config.schema.json`.\n\n"
      "| key | allowed | default | meaning |\n|---|---|---|---|\n";
  for (const Option& option : option_table()) {
    out += "| `" + option.path + "` | " + allowed_text(option) + " | " +
           (option.fallback.empty() ? "" : option.fallback) + " | " + option.help +
           (option.dead() ? " Instead: " + option.instead + "." : "") + " |\n";
  }
  return out;
}

}  // namespace promptsweep
