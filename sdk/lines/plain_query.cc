// SPDX-License-Identifier: Apache-2.0
// Request lines as this project's core writes them: a sweep reads one for every request.
#include <promptsweep/json_plain.h>

#include <limits>
#include <utility>

#include "query.h"

namespace psw {
namespace lines {
namespace {

// Bits, so that a member that comes twice is noticed.
enum Member : unsigned {
  other = 0,
  messages = 1,
  prompt = 2,
  temperature = 4,
  top_p = 8,
  top_k = 16,
  max_tokens = 32,
  stop = 64,
  seed = 128,
};

Member member_named(std::string_view key) {
  if (key == "messages") return messages;
  if (key == "prompt") return prompt;
  if (key == "temperature") return temperature;
  if (key == "top_p") return top_p;
  if (key == "top_k") return top_k;
  if (key == "max_tokens") return max_tokens;
  if (key == "stop") return stop;
  if (key == "seed") return seed;
  return other;
}

bool read_message(JsonScanner& scan, Message& out) {
  bool has_role = false, has_content = false;
  std::string_view key;
  for (scan.enter_object(); scan.next_member(key);) {
    if (key == "role") {
      if (std::exchange(has_role, true) || !scan.read_text(out.role)) return false;
    } else if (key == "content") {
      if (std::exchange(has_content, true) || !scan.read_text(out.content)) return false;
    } else if (!scan.skip()) {
      return false;
    }
  }
  return has_role && has_content && !scan.failed() &&
         (out.role == "system" || out.role == "user" || out.role == "assistant");
}

bool read_messages(JsonScanner& scan, std::vector<Message>& out) {
  out.reserve(2);  // what the core writes
  for (scan.enter_array(); scan.next_element();) {
    if (!read_message(scan, out.emplace_back())) return false;
  }
  return !scan.failed() && !out.empty();
}

bool read_stops(JsonScanner& scan, std::vector<std::string>& out) {
  for (scan.enter_array(); scan.next_element();) {
    if (!scan.read_text(out.emplace_back()) || out.back().empty()) return false;
  }
  return !scan.failed();
}

template <class T>
bool read_whole(JsonScanner& scan, std::uint64_t low, T& out) {
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  std::uint64_t value = 0;
  if (!scan.read_count(value) || value < low || value > most) return false;
  out = static_cast<T>(value);
  return true;
}

bool read_member(JsonScanner& scan, Member member, Query& query) {
  switch (member) {
    case messages:
      return read_messages(scan, query.messages);
    case prompt:
      return scan.read_text(query.prompt.emplace());
    case temperature:
      return scan.read_number(query.temperature) && query.temperature >= 0 &&
             query.temperature <= 2;
    case top_p:
      return scan.read_number(query.top_p.emplace()) && *query.top_p > 0 && *query.top_p <= 1;
    case top_k:
      return read_whole(scan, 0, query.top_k.emplace());
    case max_tokens:
      return read_whole(scan, 1, query.max_tokens);
    case stop:
      return read_stops(scan, query.stop);
    case seed:
      return read_whole(scan, 0, query.seed.emplace());
    case other:
      break;
  }
  return scan.skip();
}

}  // namespace

std::optional<Query> plain_query(std::string_view line) {
  std::optional<Query> query(std::in_place);
  JsonScanner scan(line);
  unsigned seen = 0;
  std::string_view key;
  for (scan.enter_object(); scan.next_member(key);) {
    const Member member = member_named(key);
    if ((seen & member) != 0 || !read_member(scan, member, *query)) return std::nullopt;
    seen |= member;
  }
  const bool one_text = ((seen & messages) != 0) != ((seen & prompt) != 0);
  if (!scan.at_end() || !one_text || (seen & max_tokens) == 0) return std::nullopt;
  return query;
}

}  // namespace lines
}  // namespace psw
