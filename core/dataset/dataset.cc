// SPDX-License-Identifier: Apache-2.0
#include "dataset/dataset.h"

#include <utility>

#include "base/digest.h"
#include "dataset/readers.h"

namespace promptsweep {
namespace {

constexpr std::pair<DatasetFormat, std::string_view> format_names[] = {
    {DatasetFormat::squad, "squad"},     {DatasetFormat::triviaqa, "triviaqa"},
    {DatasetFormat::nq_open, "nq_open"}, {DatasetFormat::prepared, "prepared"},
    {DatasetFormat::csv, "csv"},
};

Status read_items(const DatasetSource& source, SourceFile& file, const TakeItem& take) {
  switch (source.format) {
    case DatasetFormat::squad:
      return read_squad(source, file, take);
    case DatasetFormat::triviaqa:
      return read_triviaqa(source, file, take);
    case DatasetFormat::nq_open:
      return read_nq_open(source, file, take);
    case DatasetFormat::prepared:
      return read_prepared(source, file, take);
    case DatasetFormat::csv:
      return read_csv(source, file, take);
  }
  return Error{Code::internal, "unknown data set format"};
}

Status check_keys(const DatasetSource& source, const ItemSpool& items) {
  const auto repeated = items.repeated_key();
  if (!repeated) return repeated.error();
  if (!*repeated) return ok;
  const Result<std::string> key = items.key((*repeated)->second);
  if (!key) return key.error();
  return Error{Code::invalid_input,
               source.path.string() + ": items " + std::to_string((*repeated)->first + 1) +
                   " and " + std::to_string((*repeated)->second + 1) + " have the same id " + *key};
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
  Result<SourceFile> file = SourceFile::open(source);
  if (!file) return std::move(file).error();
  DatasetFile out;
  out.source = source;
  out.items = std::make_shared<ItemSpool>();
  Status read = read_items(source, *file, [&](const Item& item) -> Status {
    if (source.task && item.type != *source.task) {
      return Error{Code::invalid_input, source.path.string() + ": " + item_key(item) +
                                            " is not of the task that the configuration names"};
    }
    return out.items->append(item);
  });
  if (!read) return std::move(read).error();
  if (Status checked = check_keys(source, *out.items); !checked) return std::move(checked).error();
  out.sha256 = file->sha256();
  out.bytes = file->bytes();
  return out;
}

}  // namespace promptsweep
