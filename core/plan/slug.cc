// SPDX-License-Identifier: Apache-2.0
#include "plan/slug.h"

namespace promptsweep {
namespace {

constexpr std::size_t longest_readable = 80;

// 0.95 -> 095, 1 -> 1: a decimal point is legal but reads like a file ending.
std::string without_point(double value) {
  std::string text = format_number(value);
  std::erase(text, '.');
  return text;
}

}  // namespace

std::string slug_part(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (plain) {
      out += c;
    } else if (out.empty() || out.back() != '-') {
      out += '-';
    }
  }
  const auto is_edge = [](char c) { return c == '-' || c == '.'; };
  while (!out.empty() && is_edge(out.back())) out.pop_back();
  while (!out.empty() && is_edge(out.front())) out.erase(out.begin());
  return out.empty() ? "x" : out;
}

std::string readable_slug(const Cell& cell) {
  std::string out = slug_part(cell.model->alias) + "-" + slug_part(cell.prompt_set->name);
  if (cell.top_p) out += "-tp" + without_point(*cell.top_p);
  if (cell.top_k) out += "-tk" + std::to_string(*cell.top_k);
  out += "-mx" + std::to_string(cell.max_new_tokens.closed_book) + "-" +
         std::to_string(cell.max_new_tokens.open_book);
  if (out.size() > longest_readable) out = slug_part(out.substr(0, longest_readable));
  return out;
}

std::string trial_slug(const Cell& cell, const std::string& hash) {
  return hash.empty() ? readable_slug(cell) : readable_slug(cell) + "-" + hash;
}

}  // namespace promptsweep
