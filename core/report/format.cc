// SPDX-License-Identifier: Apache-2.0
#include "report/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "records/plan.h"

namespace promptsweep {
namespace {

std::string printed(const char* format, double value) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += "\\|";
    } else if (c == '\n' || c == '\r') {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

std::string line(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& text : cells) out += " " + cell(text) + " |";
  return out + "\n";
}

struct MetricWords {
  std::string_view name, phrase, title;
};
constexpr std::array<MetricWords, 6> words{{
    {"em", "accuracy (exact match)", "EM"},
    {"em_answerable", "accuracy on answerable questions", "EM, answerable"},
    {"f1", "token F1", "F1"},
    {"abstain_rate", "abstention", "Abstain"},
    {"false_answer_rate", "answers to unanswerable questions", "False answer (unanswerable)"},
    {"unsupported_rate", "answers not found in the passage", "Unsupported"},
}};

// Characters on a terminal, one a code point.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::string fixed(double value, int decimals) {
  std::array<char, 400> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  std::string out = buffer.data();
  if (out[0] == '-' && out.find_first_not_of("-0.") == std::string::npos) out.erase(0, 1);
  return out;
}

std::string percent(std::optional<double> share) {
  return share ? fixed(*share * 100, 1) + " %" : std::string(dash);
}

std::string points(std::optional<double> difference) {
  if (!difference) return std::string(dash);
  std::string out = fixed(*difference * 100, 1);
  return out[0] == '-' || out == "0.0" ? out : "+" + out;
}

std::string points(const std::optional<Interval>& interval) {
  if (!interval) return std::string(dash);
  return "[" + points(interval->low) + ", " + points(interval->high) + "]";
}

std::string p_value(std::optional<double> p) {
  if (!p) return std::string(dash);
  return *p >= 0.001 ? fixed(*p, 3) : printed("%.1e", *p);
}

std::string ratio(std::optional<double> value) {
  return value ? printed("%.3g", *value) : std::string(dash);
}

std::string dollars(std::optional<double> usd) {
  return usd ? "$" + fixed(*usd, 4) : std::string(dash);
}

std::string level(double conf_level) { return printed("%.4g", conf_level * 100) + " %"; }

std::string task_name(TaskType type) { return std::string(to_string(type)) + "-book"; }

std::string metric_phrase(std::string_view metric) {
  for (const MetricWords& w : words) {
    if (w.name == metric) return std::string(w.phrase);
  }
  return std::string(metric);
}

std::string metric_title(std::string_view metric) {
  for (const MetricWords& w : words) {
    if (w.name == metric) return std::string(w.title);
  }
  return std::string(metric);
}

MarkdownTable::MarkdownTable(std::vector<std::string> titles, std::size_t numbers_from)
    : titles_(std::move(titles)), numbers_from_(numbers_from) {}

void MarkdownTable::row(std::vector<std::string> cells) {
  cells.resize(titles_.size());
  rows_.push_back(std::move(cells));
}

std::string MarkdownTable::text() const {
  std::string out = line(titles_);
  out += "|";
  for (std::size_t i = 0; i < titles_.size(); ++i) out += i < numbers_from_ ? "---|" : "---:|";
  out += "\n";
  for (const std::vector<std::string>& cells : rows_) out += line(cells);
  return out + "\n";
}

std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < left ? row[i] + gap : gap + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string dry_run_line(std::string_view run_id) {
  if (!is_dry_run(run_id)) return "";
  return "**DRY RUN: nothing was measured. No engine was asked; every answer is made up.**\n\n";
}

}  // namespace promptsweep
