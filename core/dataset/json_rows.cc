// SPDX-License-Identifier: Apache-2.0
#include "dataset/json_rows.h"

#include <algorithm>

namespace promptsweep {

using nlohmann::json;

std::optional<std::string> id_member(const json& object, const char* name,
                                     const std::string& question) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return id_from_question(question);
  std::optional<std::string> id = text_member(object, name);
  if (id && id->empty()) return std::nullopt;
  return id;
}

Status for_each_json_line(const DatasetSource& source, SourceFile& file,
                          const std::function<Status(const json&, std::int64_t line)>& take) {
  while (true) {
    const Result<std::optional<std::string>> next = file.line();
    if (!next) return next.error();
    if (!*next) return ok;
    const std::string& line = **next;
    if (line.find_first_not_of(" \t\r\n") == std::string::npos) continue;
    const std::int64_t number = file.line_number();
    const json row = json::parse(line, nullptr, false);
    if (row.is_discarded()) return row_error(source, number, "this line is not JSON");
    if (!row.is_object()) return row_error(source, number, "found JSON that is no object");
    if (Status taken = take(row, number); !taken) return taken;
  }
}

Result<json> parse_whole(const DatasetSource& source, SourceFile& file) {
  const Result<std::string> bytes = file.rest();
  if (!bytes) return bytes.error();
  try {
    return json::parse(*bytes);
  } catch (const json::parse_error& error) {
    const std::size_t at = std::min<std::size_t>(error.byte, bytes->size());
    const auto line =
        std::count(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    return row_error(source, line, "not JSON: " + std::string(error.what()));
  }
}

}  // namespace promptsweep
