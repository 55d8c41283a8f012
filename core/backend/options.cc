// SPDX-License-Identifier: Apache-2.0
#include "backend/options.h"

// Without this valijson aborts where it would throw.
#define VALIJSON_USE_EXCEPTIONS 1
#include <algorithm>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace promptsweep {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

Error refused(const std::string& pointer, const std::string& sentence) {
  return {Code::invalid_input, pointer + ": " + sentence};
}

const json& properties_of(const json& schema) {
  static const json none = json::object();
  const auto found = schema.find("properties");
  return found != schema.end() && found->is_object() ? *found : none;
}

std::string names_of(const json& properties) {
  std::string out;
  for (const auto& property : properties.items()) {
    out += (out.empty() ? "" : ", ") + property.key();
  }
  return out;
}

// Unknown keys get a better sentence than a validator's.
Status refuse_unknown(const json& schema, const json& options) {
  const auto additional = schema.find("additionalProperties");
  if (additional == schema.end() || *additional != false) return ok;
  const json& properties = properties_of(schema);
  for (const auto& option : options.items()) {
    if (!properties.contains(option.key())) {
      return refused("/" + option.key(),
                     "unknown option; this backend takes " + names_of(properties));
    }
  }
  return ok;
}

// valijson's context is "<root>", "[failures]", "[0]".
json::json_pointer pointer_of(const std::vector<std::string>& context) {
  json::json_pointer out;
  for (const std::string& step : context) {
    if (step.size() >= 2 && step.front() == '[') out /= step.substr(1, step.size() - 2);
  }
  return out;
}

// "12 is not allowed: integer from 32 to 4096".
std::string sentence_about(const json& found, const json& property, const std::string& fallback) {
  std::string allowed;
  if (property.contains("enum")) {
    allowed = "one of";
    for (const json& value : property["enum"]) allowed += " " + value.dump();
  } else if (property.contains("type")) {
    const json& type = property["type"];
    allowed = type.is_string() ? type.get<std::string>() : type.dump();
    for (const auto& [key, words] :
         {std::pair("minimum", " of at least "), std::pair("exclusiveMinimum", " above "),
          std::pair("maximum", " up to "), std::pair("exclusiveMaximum", " below "),
          std::pair("minLength", ", length at least "),
          std::pair("maxLength", ", length at most ")}) {
      if (property.contains(key)) allowed += words + property[key].dump();
    }
  }
  if (allowed.empty() || found.is_structured()) return fallback;
  return found.dump() + " is not allowed here; allowed: " + allowed;
}

Error first_error(const json& schema, const json& options, valijson::ValidationResults& results) {
  // The deepest context is the most telling one.
  valijson::ValidationResults::Error best, next;
  while (results.popError(next)) {
    if (best.description.empty() || next.context.size() > best.context.size()) best = next;
  }
  const json::json_pointer pointer = pointer_of(best.context);
  const std::string text = pointer.to_string();
  if (pointer.empty() || !options.contains(pointer)) {
    return refused(text.empty() ? "/" : text, best.description);
  }
  const json& properties = properties_of(schema);
  const bool top_level = pointer.parent_pointer().empty();
  const json property = top_level && properties.contains(pointer.back())
                            ? properties[pointer.back()]
                            : json::object();
  return refused(text, sentence_about(options.at(pointer), property, best.description));
}

}  // namespace

Status check_against_schema(const std::string& schema_json, const std::string& options_json) {
  const json options = json::parse(options_json, nullptr, false);
  if (!options.is_object()) return refused("/", "the options are not an object");
  const json schema = json::parse(schema_json, nullptr, false);
  if (!schema.is_object()) return Error{Code::data, "the plugin's schema of options is not JSON"};
  if (Status known = refuse_unknown(schema, options); !known) return known;
  try {
    valijson::Schema parsed;
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(NlohmannJsonAdapter(schema), parsed);
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    valijson::ValidationResults results;
    if (!validator.validate(parsed, NlohmannJsonAdapter(options), &results)) {
      return first_error(schema, options, results);
    }
  } catch (const std::exception& e) {
    return Error{Code::data,
                 std::string("the plugin's schema of options cannot be used: ") + e.what()};
  }
  return ok;
}

std::string completed_options(
    const std::string& schema_json, const std::string& options_json, const std::string& model,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  json options = json::parse(options_json, nullptr, false);
  const json schema = json::parse(schema_json, nullptr, false);
  if (!options.is_object() || !schema.is_object()) return options_json;
  for (const auto& property : properties_of(schema).items()) {
    const json& rule = property.value();
    if (!rule.is_object() || options.contains(property.key())) continue;
    if (rule.value("x-role", json()) == json("model")) {
      options[property.key()] = model;
    } else if (const json name = rule.value("x-env", json()); name.is_string()) {
      const std::optional<std::string> value = environment(name.get<std::string>());
      if (value && !value->empty()) options[property.key()] = *value;
    }
  }
  return options.dump();
}

std::string marked_options(const std::string& schema_json, const std::string& options_json,
                           const char* mark) {
  const json options = json::parse(options_json, nullptr, false);
  const json schema = json::parse(schema_json, nullptr, false);
  json out = json::object();
  if (!schema.is_object()) return out.dump();
  for (const auto& property : properties_of(schema).items()) {
    const json& rule = property.value();
    if (!rule.is_object() || rule.value(mark, json(false)) != json(true)) continue;
    if (options.is_object() && options.contains(property.key())) {
      out[property.key()] = options[property.key()];
    } else if (rule.contains("default")) {
      out[property.key()] = rule["default"];
    }
  }
  return out.dump();
}

namespace {

// Visits name, rule and present value of each integer option with this x-role, until `visit` is
// true.
template <class Visit>
void for_each_role(const json& schema, const json& options, const char* role, Visit visit) {
  for (const auto& property : properties_of(schema).items()) {
    const json& rule = property.value();
    if (!rule.is_object() || rule.value("x-role", json()) != json(role)) continue;
    const json value =
        options.contains(property.key()) ? options[property.key()] : rule.value("default", json());
    if (value.is_number_integer() && visit(property.key(), rule, value.get<std::int64_t>())) return;
  }
}

// -1 is every layer, however many there are.
std::int64_t fewer_layers(std::int64_t layers) {
  constexpr std::int64_t first_step = 64;
  return layers < 0 ? first_step : layers / 2;
}

}  // namespace

std::optional<std::string> with_less_memory(const std::string& schema_json,
                                            const std::string& options_json) {
  json options = json::parse(options_json, nullptr, false);
  const json schema = json::parse(schema_json, nullptr, false);
  if (!options.is_object() || !schema.is_object()) return std::nullopt;
  bool lowered = false;
  for_each_role(schema, options, "parallelism",
                [&](const std::string& name, const json& rule, std::int64_t value) {
                  const std::int64_t least = rule.value("minimum", std::int64_t{1});
                  if (value <= std::max<std::int64_t>(least, 1)) return false;
                  options[name] = std::max(least, value / 2);
                  return lowered = true;
                });
  if (!lowered) {
    for_each_role(schema, options, "offload",
                  [&](const std::string& name, const json&, std::int64_t value) {
                    if (value == 0) return false;
                    options[name] = fewer_layers(value);
                    return lowered = true;
                  });
  }
  if (!lowered) return std::nullopt;
  return options.dump();
}

std::optional<std::int64_t> threads_option(const std::string& schema_json,
                                           const std::string& options_json) {
  const json options = json::parse(options_json, nullptr, false);
  const json schema = json::parse(schema_json, nullptr, false);
  std::optional<std::int64_t> out;
  if (!options.is_object() || !schema.is_object()) return out;
  for_each_role(schema, options, "threads",
                [&](const std::string&, const json&, std::int64_t value) {
                  out = value;
                  return true;
                });
  return out;
}

}  // namespace promptsweep
