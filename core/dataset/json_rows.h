// SPDX-License-Identifier: Apache-2.0
// Typed access to the JSON of data files; included by the readers that parse JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataset/readers.h"

namespace promptsweep {

// A member that must be a text; nullopt when it is absent, null or something else.
inline std::optional<std::string> text_member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return collapse_whitespace(found->get_ref<const std::string&>());
}

// A member that must be a list of texts; empty when it is absent.
inline std::optional<std::vector<std::string>> texts_member(const nlohmann::json& object,
                                                            const char* name) {
  const auto found = object.find(name);
  std::vector<std::string> out;
  if (found == object.end() || found->is_null()) return out;
  if (!found->is_array()) return std::nullopt;
  for (const nlohmann::json& element : *found) {
    if (!element.is_string()) return std::nullopt;
    out.push_back(collapse_whitespace(element.get_ref<const std::string&>()));
  }
  return out;
}

// The member `name` as the item's id; an id made from the question where it is absent or null.
// nullopt: it is something else than a text with a visible character.
std::optional<std::string> id_member(const nlohmann::json& object, const char* name,
                                     const std::string& question);

// Calls `take` for each line that is not blank; a line that is no JSON object is an error.
Status for_each_json_line(
    const DatasetSource& source, SourceFile& file,
    const std::function<Status(const nlohmann::json&, std::int64_t line)>& take);

// The whole file as one JSON value.
Result<nlohmann::json> parse_whole(const DatasetSource& source, SourceFile& file);

}  // namespace promptsweep
