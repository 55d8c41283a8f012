// SPDX-License-Identifier: Apache-2.0
// Values as text. An absent value is a dash, never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/findings.h"

namespace promptsweep {

inline constexpr std::string_view dash = "\u2013";

std::string fixed(double value, int decimals);
// A share of 1 as a percentage with one decimal: "41.3 %".
std::string percent(std::optional<double> share);
// A difference of shares in percentage points, signed: "+23.1". What rounds to 0 has no sign.
std::string points(std::optional<double> difference);
std::string points(const std::optional<Interval>& interval);  // "[+12.0, +33.2]"
std::string p_value(std::optional<double> p);                 // "0.031", "1.7e-18"
std::string ratio(std::optional<double> value);               // three significant digits
std::string dollars(std::optional<double> usd);               // "$0.0123"
std::string level(double conf_level);                         // "95 %"

// "closed-book", "open-book".
std::string task_name(TaskType type);
// "accuracy (exact match)", "abstention", ... for sentences; short column titles for tables.
std::string metric_phrase(std::string_view metric);
std::string metric_title(std::string_view metric);

// Rows of a GitHub table; '|' and line breaks inside a cell are escaped.
class MarkdownTable {
 public:
  // `numbers_from`: columns from this one on are right-aligned.
  MarkdownTable(std::vector<std::string> titles, std::size_t numbers_from);
  void row(std::vector<std::string> cells);
  std::string text() const;
  bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::string> titles_;
  std::size_t numbers_from_;
  std::vector<std::vector<std::string>> rows_;
};

// Rows as aligned columns for a terminal, the first row being their titles; the first `left`
// columns are left-aligned. REQUIRES: at least one row, all of one length.
std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left);
// The first line of everything that a dry run reports; empty for a real run.
std::string dry_run_line(std::string_view run_id);

}  // namespace promptsweep
