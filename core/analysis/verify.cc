// SPDX-License-Identifier: Apache-2.0
#include "analysis/verify.h"

#include <algorithm>
#include <fstream>
#include <istream>
#include <optional>
#include <sstream>

#include "base/unicode.h"

namespace promptsweep {
namespace {

// A line with its end, so that a file without a last newline differs from one with it.
std::optional<std::string> next_line(std::istream& in) {
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  if (!in.eof()) line += '\n';
  return line;
}

// The fields of a CSV row as far as they stand in its first line.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> out{""};
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      const bool doubled = quoted && i + 1 < line.size() && line[i + 1] == '"';
      if (doubled) {
        out.back() += '"';
        ++i;
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      out.emplace_back();
    } else if (c != '\n') {
      out.back() += c;
    }
  }
  return out;
}

// Follows the rows of a CSV line by line.
class RowNames {
 public:
  explicit RowNames(const std::vector<std::string>& columns) : columns_(columns) {}

  // Lines in their order, the header first.
  void see(const std::string& line) {
    if (columns_.empty()) return;
    if (positions_.empty()) {
      const std::vector<std::string> header = fields_of(line);
      for (const std::string& column : columns_) {
        const auto found = std::find(header.begin(), header.end(), column);
        positions_.push_back(static_cast<std::size_t>(found - header.begin()));
      }
      return;
    }
    if (!within_) row_ = line;
    // A quoted field that the line leaves open goes on in the next.
    if (std::count(line.begin(), line.end(), '"') % 2 != 0) within_ = !within_;
  }

  // Of the row that the latest line belongs to; empty for the header.
  std::string name() const {
    std::string out;
    if (row_.empty()) return out;
    const std::vector<std::string> fields = fields_of(row_);
    for (std::size_t position : positions_) {
      if (position >= fields.size()) continue;
      out += (out.empty() ? "" : ", ") + replace_invalid_utf8(fields[position]);
    }
    return out;
  }

 private:
  const std::vector<std::string>& columns_;
  std::vector<std::size_t> positions_;
  std::string row_;
  bool within_ = false;
};

std::size_t first_difference(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

Status compare_streams(const std::filesystem::path& path, std::istream& stored, std::istream& made,
                       const std::vector<std::string>& id_columns, const DifferenceSink& found) {
  RowNames rows(id_columns);
  for (std::int64_t number = 1;; ++number) {
    const std::optional<std::string> was = next_line(stored), now = next_line(made);
    if (stored.bad() || made.bad()) return Error{Code::io, "cannot read " + path.string()};
    if (!was && !now) return ok;
    rows.see(now ? *now : *was);
    if (was && now && *was == *now) continue;
    const std::string name = rows.name();
    const std::size_t at = was && now ? first_difference(*was, *now) : 0;
    found({path.string(),
           "line " + std::to_string(number) + (name.empty() ? "" : " (" + name + ")"),
           !was   ? "the line is missing"
           : !now ? "the line is one too many"
                  : "the line differs",
           was ? excerpt(*was, at) : "", now ? excerpt(*now, at) : ""});
    return ok;
  }
}

Result<std::ifstream> open_stored(const std::filesystem::path& path, const DifferenceSink& found) {
  std::ifstream in(path, std::ios::binary);
  std::error_code failed;
  if (!in && !std::filesystem::exists(path, failed)) {
    found({path.string(), "", "the file is missing", "", ""});
    return Error{Code::not_found, ""};
  }
  if (!in) return Error{Code::io, "cannot read " + path.string()};
  return in;
}

}  // namespace

std::string excerpt(std::string_view line, std::size_t at) {
  constexpr std::size_t before = 24, length = 72;
  static constexpr char digits[] = "0123456789abcdef";
  const auto continues = [&](std::size_t i) {
    return i < line.size() && (static_cast<unsigned char>(line[i]) & 0xC0) == 0x80;
  };
  std::size_t from = at > before ? at - before : 0;
  while (from > 0 && continues(from)) --from;
  std::size_t end = std::min(from + length, line.size());
  while (continues(end)) ++end;
  std::string out = from > 0 ? "\"..." : "\"";
  for (char c : replace_invalid_utf8(std::string(line.substr(from, end - from)))) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + (end < line.size() ? "...\"" : "\"");
}

Status compare_files(const std::filesystem::path& stored, const std::filesystem::path& made,
                     const std::vector<std::string>& id_columns, const DifferenceSink& found) {
  Result<std::ifstream> was = open_stored(stored, found);
  if (!was) return was.error().code == Code::not_found ? Status(ok) : Status(was.error());
  std::ifstream now(made, std::ios::binary);
  if (!now) return Error{Code::io, "cannot read " + made.string()};
  return compare_streams(stored, *was, now, id_columns, found);
}

Status compare_text(const std::filesystem::path& stored, std::string_view made,
                    const DifferenceSink& found) {
  Result<std::ifstream> was = open_stored(stored, found);
  if (!was) return was.error().code == Code::not_found ? Status(ok) : Status(was.error());
  std::istringstream now{std::string(made)};
  return compare_streams(stored, *was, now, {}, found);
}

}  // namespace promptsweep
