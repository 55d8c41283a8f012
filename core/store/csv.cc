// SPDX-License-Identifier: Apache-2.0
#include "store/csv.h"

#include <cmath>

#include "base/unicode.h"
#include "records/decoding.h"

namespace promptsweep {
namespace {

void append_field(std::string& out, std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += field;
    return;
  }
  out += '"';
  for (char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace

std::string csv_row(const std::vector<std::string>& fields) {
  std::string out;
  bool first = true;
  for (const std::string& field : fields) {
    if (!first) out += ',';
    first = false;
    if (is_valid_utf8(field)) {
      append_field(out, field);
    } else {
      append_field(out, replace_invalid_utf8(field));
    }
  }
  return out + '\n';
}

std::string csv_number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? format_number(*value) : "";
}

std::string csv_number(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "";
}

}  // namespace promptsweep
