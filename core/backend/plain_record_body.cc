// SPDX-License-Identifier: Apache-2.0
// Bodies as the SDK writes them: every result of a sweep comes through here.
#include <promptsweep/json_plain.h>

#include <utility>

#include "backend/record_body.h"

namespace promptsweep {
namespace {

using psw::lines::JsonScanner;
using Kind = JsonScanner::Kind;

// Bits, so that a member that comes twice is noticed: of two the tree takes the last.
enum Member : unsigned {
  other = 0,
  text = 1,
  error = 2,
  finish_reason = 4,
  model = 8,
  remote_id = 16,
  timings = 32,
  prompt_tokens = 64,
  prompt_tokens_evaluated = 128,
  completion_tokens = 256,
  seed_honoured = 512,
};

Member member_named(std::string_view key) {
  if (key == "text") return text;
  if (key == "error") return error;
  if (key == "finish_reason") return finish_reason;
  if (key == "model") return model;
  if (key == "remote_id") return remote_id;
  if (key == "timings") return timings;
  if (key == "prompt_tokens") return prompt_tokens;
  if (key == "prompt_tokens_evaluated") return prompt_tokens_evaluated;
  if (key == "completion_tokens") return completion_tokens;
  if (key == "seed_honoured") return seed_honoured;
  return other;
}

bool read_count(JsonScanner& scan, std::optional<std::int64_t>& out) {
  if (scan.kind() == Kind::null) return scan.read_null();
  std::uint64_t value = 0;
  if (!scan.read_count(value)) return false;
  out = static_cast<std::int64_t>(value);
  return true;
}

// The object as the tree would write it: that needs members in order, and numbers in one spelling.
bool read_timings(JsonScanner& scan, std::string& out) {
  if (scan.kind() == Kind::null) return scan.read_null();
  out = '{';
  std::string_view key, last;
  for (scan.enter_object(); scan.next_member(key); last = key) {
    if (out.size() > 1) {
      if (key <= last) return false;
      out += ',';
    }
    ((out += '"') += key) += "\":";
    if (scan.kind() == Kind::null) {
      if (!scan.read_null()) return false;
      out += "null";
    } else if (!scan.copy_number(out)) {
      return false;
    }
  }
  out += '}';
  return !scan.failed();
}

bool read_member(JsonScanner& scan, Member member, RecordBody& body) {
  switch (member) {
    case text:
      return scan.read_text(body.text.emplace());
    case error:
      return scan.read_text(body.error.emplace());
    case finish_reason:
      return scan.read_text(body.finish_reason);
    case model:
      return scan.read_text(body.model);
    case remote_id:
      return scan.read_text(body.remote_id);
    case timings:
      return read_timings(scan, body.timings_json);
    case prompt_tokens:
      return read_count(scan, body.prompt_tokens);
    case prompt_tokens_evaluated:
      return read_count(scan, body.prompt_tokens_evaluated);
    case completion_tokens:
      return read_count(scan, body.completion_tokens);
    case seed_honoured:
      return scan.kind() == Kind::null ? scan.read_null()
                                       : scan.read_boolean(body.seed_honoured.emplace());
    case other:
      break;
  }
  return scan.skip();
}

}  // namespace

std::optional<RecordBody> plain_record_body(std::string_view json) {
  std::optional<RecordBody> body(std::in_place);
  JsonScanner scan(json);
  unsigned seen = 0;
  std::string_view key;
  for (scan.enter_object(); scan.next_member(key);) {
    const Member member = member_named(key);
    if ((seen & member) != 0 || !read_member(scan, member, *body)) return std::nullopt;
    seen |= member;
  }
  if (!scan.at_end()) return std::nullopt;
  return body;
}

}  // namespace promptsweep
