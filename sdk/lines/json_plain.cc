// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/json_plain.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "plain_bytes.h"
#include "utf8.h"

namespace psw {
namespace lines {
namespace {

constexpr int deepest = 32;  // skip() calls itself

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, unsigned point) {
  const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

// What a byte that is not plain becomes between quotes; it is ASCII.
void append_escape(std::string& out, char c) {
  constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += c >= 0x10 ? "\\u001" : "\\u000";
      out += digits[c & 0xF];
  }
}

// Digits that 64 bits hold with room to spare.
bool is_count(std::string_view token, bool whole) {
  constexpr std::size_t longest = 18;
  return whole && token.front() != '-' && token.size() <= longest;
}

bool round(std::string_view token, bool whole, double& out) {
  if (whole && token == "-0") return false;  // a whole number has no negative zero
  return std::from_chars(token.data(), token.data() + token.size(), out).ec == std::errc();
}

}  // namespace

bool JsonScanner::fail() {
  failed_ = true;
  at_ = text_.size();  // so that everything after it finds nothing
  return false;
}

void JsonScanner::skip_blanks() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
    ++at_;
  }
}

bool JsonScanner::take(char c) {
  if (at_ >= text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool JsonScanner::take_word(std::string_view word) {
  skip_blanks();
  if (text_.substr(at_, word.size()) != word) return fail();
  at_ += word.size();
  return true;
}

JsonScanner::Kind JsonScanner::kind() {
  skip_blanks();
  if (at_ >= text_.size()) return Kind::none;
  switch (text_[at_]) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::text;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return text_[at_] == '-' || is_digit(text_[at_]) ? Kind::number : Kind::none;
  }
}

bool JsonScanner::enter(char opening) {
  skip_blanks();
  if (!take(opening) || ++depth_ > deepest) return fail();
  fresh_ = true;
  return true;
}

// To the next part of a container; false at its end.
bool JsonScanner::step(char closing) {
  if (failed_) return false;
  skip_blanks();
  const bool first = fresh_;
  fresh_ = false;
  if (take(closing)) {
    --depth_;
    return false;
  }
  return first || take(',') || fail();
}

bool JsonScanner::enter_object() { return enter('{'); }
bool JsonScanner::enter_array() { return enter('['); }
bool JsonScanner::next_element() { return step(']'); }

bool JsonScanner::next_member(std::string_view& key) {
  if (!step('}')) return false;
  skip_blanks();
  if (!take('"')) return fail();
  const std::size_t end = plain_end(text_, at_);
  key = text_.substr(at_, end - at_);
  at_ = end;
  if (!take('"')) return fail();
  skip_blanks();
  return take(':') || fail();
}

// The four digits of \uXXXX; -1: there are none.
int JsonScanner::take_unit() {
  if (text_.size() - at_ < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(text_[at_++]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool JsonScanner::take_escape(std::string* out) {
  if (at_ >= text_.size()) return fail();
  constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  const char letter = text_[at_++];
  if (letter != 'u') {
    const std::size_t which = letters.find(letter);
    if (which == std::string_view::npos) return fail();
    if (out != nullptr) *out += meanings[which];
    return true;
  }
  int point = take_unit();
  if (point < 0 || (point >= 0xDC00 && point <= 0xDFFF)) return fail();
  if (point >= 0xD800 && point <= 0xDBFF) {
    if (!take('\\') || !take('u')) return fail();
    const int low = take_unit();
    if (low < 0xDC00 || low > 0xDFFF) return fail();
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  if (out != nullptr) append_utf8(*out, static_cast<unsigned>(point));
  return true;
}

// A string; out nullptr: only looked at.
bool JsonScanner::take_text(std::string* out) {
  skip_blanks();
  if (!take('"')) return fail();
  for (std::size_t begin = at_;;) {
    at_ = plain_end(text_, at_);
    if (at_ >= text_.size()) return fail();
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const std::size_t length = sequence_at(text_, at_);
      if (length == 0) return fail();
      at_ += length;
      continue;
    }
    if (out != nullptr) out->append(text_, begin, at_ - begin);
    ++at_;
    if (c == '"') return true;
    if (c != '\\' || !take_escape(out)) return fail();
    begin = at_;
  }
}

bool JsonScanner::read_text(std::string& out) {
  out.clear();
  return take_text(&out);
}

// Sizes that no double can overflow and no conversion can cut.
bool JsonScanner::take_number(std::string_view& token, bool& whole) {
  constexpr std::size_t longest = 32, longest_exponent = 2;
  skip_blanks();
  const std::size_t begin = at_;
  const auto digits = [&] {
    const std::size_t first = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ - first;
  };
  take('-');
  const bool zero = at_ < text_.size() && text_[at_] == '0';
  const std::size_t before = digits();
  if (before == 0 || (zero && before > 1)) return fail();
  whole = true;
  if (take('.')) {
    whole = false;
    if (digits() == 0) return fail();
  }
  if (take('e') || take('E')) {
    whole = false;
    if (!take('-')) take('+');
    const std::size_t size = digits();
    if (size == 0 || size > longest_exponent) return fail();
  }
  token = text_.substr(begin, at_ - begin);
  return token.size() <= longest || fail();
}

bool JsonScanner::read_count(std::uint64_t& out) {
  std::string_view token;
  bool whole = false;
  if (!take_number(token, whole)) return false;
  if (!is_count(token, whole)) return fail();
  std::from_chars(token.data(), token.data() + token.size(), out);
  return true;
}

bool JsonScanner::read_number(double& out) {
  std::string_view token;
  bool whole = false;
  return take_number(token, whole) && (round(token, whole, out) || fail());
}

bool JsonScanner::copy_number(std::string& out) {
  std::string_view token;
  bool whole = false;
  double value = 0;
  if (!take_number(token, whole)) return false;
  if (whole) {
    if (!is_count(token, whole)) return fail();
    out += token;
    return true;
  }
  if (!round(token, whole, value)) return fail();
  append_json_number(out, value);
  return true;
}

bool JsonScanner::read_boolean(bool& out) {
  skip_blanks();
  out = at_ < text_.size() && text_[at_] == 't';
  return take_word(out ? "true" : "false");
}

bool JsonScanner::read_null() { return take_word("null"); }

bool JsonScanner::skip() {
  std::string_view ignored;
  bool truth = false;
  switch (kind()) {
    case Kind::object:
      for (enter_object(); next_member(ignored);) skip();
      return !failed_;
    case Kind::array:
      for (enter_array(); next_element();) skip();
      return !failed_;
    case Kind::text:
      return take_text(nullptr);
    case Kind::number:
      return take_number(ignored, truth);
    case Kind::boolean:
      return read_boolean(truth);
    case Kind::null:
      return read_null();
    case Kind::none:
      break;
  }
  return fail();
}

bool JsonScanner::at_end() {
  skip_blanks();
  return !failed_ && depth_ == 0 && at_ >= text_.size();
}

void append_json_text(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  out += '"';
  for (std::size_t at = 0, begin = 0;;) {
    at = plain_end(text, at);
    if (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80) {
      const std::size_t length = sequence_at(text, at);
      if (length == 0) {  // rare, and how much one replacement stands for is the library's rule
        using nlohmann::json;
        out.resize(before);
        out += json(text).dump(-1, ' ', false, json::error_handler_t::replace);
        return;
      }
      at += length;
      continue;
    }
    out += text.substr(begin, at - begin);
    if (at >= text.size()) break;
    append_escape(out, text[at]);
    begin = ++at;
  }
  out += '"';
}

void append_json_number(std::string& out, double value) { out += nlohmann::json(value).dump(); }

}  // namespace lines
}  // namespace psw
