// SPDX-License-Identifier: Apache-2.0
#include "dataset/dataset.h"

#include <algorithm>
#include <map>

#include "base/digest.h"
#include "base/env.h"
#include "base/unicode.h"
#include "dataset/readers.h"

namespace promptsweep {
namespace {

constexpr std::pair<DatasetFormat, std::string_view> format_names[] = {
    {DatasetFormat::squad, "squad"},     {DatasetFormat::triviaqa, "triviaqa"},
    {DatasetFormat::nq_open, "nq_open"}, {DatasetFormat::prepared, "prepared"},
    {DatasetFormat::csv, "csv"},
};

Result<std::vector<Item>> read_items(const DatasetSource& source, std::string_view bytes) {
  switch (source.format) {
    case DatasetFormat::squad:
      return read_squad(source, bytes);
    case DatasetFormat::triviaqa:
      return read_triviaqa(source, bytes);
    case DatasetFormat::nq_open:
      return read_nq_open(source, bytes);
    case DatasetFormat::prepared:
      return read_prepared(source, bytes);
    case DatasetFormat::csv:
      return read_csv(source, bytes);
  }
  return Error{Code::internal, "unknown data set format"};
}

// REQUIRES: the text is not UTF-8. A newline is never part of a longer sequence, so some line
// isn't.
std::int64_t first_line_not_utf8(std::string_view bytes) {
  std::int64_t line = 1;
  while (true) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    if (end == bytes.size() || !is_valid_utf8(bytes.substr(0, end))) return line;
    bytes.remove_prefix(end + 1);
    ++line;
  }
}

Status check_items(const DatasetSource& source, const std::vector<Item>& items) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (source.task && items[i].type != *source.task) {
      return Error{Code::invalid_input, source.path.string() + ": " + item_key(items[i]) +
                                            " is not of the task that the configuration names"};
    }
    const auto [first, is_new] = seen.emplace(item_key(items[i]), i);
    if (!is_new) {
      return Error{Code::invalid_input,
                   source.path.string() + ": items " + std::to_string(first->second + 1) + " and " +
                       std::to_string(i + 1) + " have the same id " + item_key(items[i])};
    }
  }
  return ok;
}

}  // namespace

std::optional<DatasetFormat> dataset_format_from(std::string_view name) {
  for (const auto& [format, text] : format_names) {
    if (text == name) return format;
  }
  return std::nullopt;
}

std::string_view to_string(DatasetFormat format) {
  for (const auto& [value, text] : format_names) {
    if (value == format) return text;
  }
  return "unknown";
}

std::string collapse_whitespace(std::string_view text) {
  constexpr std::string_view white = " \t\r\n\f\v";
  std::string out;
  for (char c : text) {
    if (white.find(c) == std::string_view::npos) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Error row_error(const DatasetSource& source, std::int64_t line, const std::string& text) {
  return Error{Code::invalid_input,
               source.path.string() + ":" + std::to_string(line) + ": " + text};
}

std::string id_from_question(const std::string& question) {
  return "q-" + content_id(question).substr(0, 16);
}

Result<DatasetFile> read_dataset(const DatasetSource& source) {
  Result<std::string> bytes = read_file(source.path);
  if (!bytes) return Error{Code::invalid_input, bytes.error().text};
  if (!is_valid_utf8(*bytes)) {
    return row_error(source, first_line_not_utf8(*bytes),
                     "found bytes that are not UTF-8; save the file as UTF-8");
  }
  Result<std::vector<Item>> items = read_items(source, *bytes);
  if (!items) return std::move(items).error();
  if (Status checked = check_items(source, *items); !checked) return std::move(checked).error();
  DatasetFile file;
  file.source = source;
  file.sha256 = sha256_hex(*bytes);
  file.bytes = static_cast<std::int64_t>(bytes->size());
  file.items = std::move(items).value();
  return file;
}

}  // namespace promptsweep
