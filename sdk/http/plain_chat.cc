// SPDX-License-Identifier: Apache-2.0
// The middle of the road, which nearly every reply takes: one choice whose content is a text.
#include <promptsweep/json_plain.h>

#include <utility>

#include "chat_reply.h"

namespace psw {
namespace http {
namespace {

using lines::JsonScanner;

// False for a member that came before: of two the tree takes the last.
bool first(bool& seen) { return !std::exchange(seen, true); }

// Null is as good as absent.
bool read_text(JsonScanner& scan, std::string& out) {
  return scan.kind() == JsonScanner::Kind::null ? scan.read_null() : scan.read_text(out);
}

bool read_count(JsonScanner& scan, std::optional<std::uint64_t>& out) {
  constexpr std::uint64_t most = 1000000000000000;  // as a double it is exact
  if (scan.kind() == JsonScanner::Kind::null) return scan.read_null();
  return scan.read_count(out.emplace()) && *out < most;
}

bool read_milliseconds(JsonScanner& scan, std::optional<double>& out) {
  if (scan.kind() == JsonScanner::Kind::null) return scan.read_null();
  return scan.read_number(out.emplace()) && *out >= 0;
}

class Reader {
 public:
  explicit Reader(std::string_view body) : scan_(body) {}

  std::optional<ChatReply> read() {
    std::string_view key;
    for (scan_.enter_object(); scan_.next_member(key);) {
      if (!read_top(key)) return std::nullopt;
    }
    if (!scan_.at_end() || chat_.finish_reason.empty() || !chat_.has_message) return std::nullopt;
    return std::move(chat_);
  }

 private:
  bool read_top(std::string_view key) {
    if (key == "choices") return first(has_choices_) && read_choices();
    if (key == "usage") return first(has_usage_) && read_usage();
    if (key == "timings") return first(has_timings_) && read_timings();
    if (key == "model") return first(has_model_) && read_text(scan_, chat_.model);
    if (key == "id") return first(has_id_) && read_text(scan_, chat_.id);
    if (key == "system_fingerprint")
      return first(has_fingerprint_) && read_text(scan_, chat_.system_fingerprint);
    if (key == "error") return first(has_error_) && scan_.read_null();
    return scan_.skip();
  }

  bool read_choices() {
    scan_.enter_array();
    return scan_.next_element() && read_choice() && !scan_.next_element() && !scan_.failed();
  }

  bool read_choice() {
    bool has_reason = false, has_logprobs = false, has_error = false;
    std::string_view key;
    for (scan_.enter_object(); scan_.next_member(key);) {
      bool good = false;
      if (key == "message") {
        good = first(chat_.has_message) && read_message();
      } else if (key == "finish_reason") {
        good = first(has_reason) && scan_.read_text(chat_.finish_reason);
      } else if (key == "logprobs") {
        good = first(has_logprobs) && scan_.read_null();
      } else if (key == "error") {
        good = first(has_error) && scan_.read_null();
      } else {
        good = scan_.skip();
      }
      if (!good) return false;
    }
    return !scan_.failed();
  }

  bool read_message() {
    bool has_content = false, has_refusal = false, has_reasoning = false, has_other = false;
    std::string refusal, other_reasoning;
    std::string_view key;
    for (scan_.enter_object(); scan_.next_member(key);) {
      bool good = false;
      if (key == "content") {
        good = first(has_content) && read_text(scan_, chat_.text);
      } else if (key == "refusal") {
        good = first(has_refusal) && read_text(scan_, refusal);
      } else if (key == "reasoning_content") {
        good = first(has_reasoning) && read_text(scan_, chat_.reasoning);
      } else if (key == "reasoning") {
        good = first(has_other) && read_text(scan_, other_reasoning);
      } else {
        good = scan_.skip();
      }
      if (!good) return false;
    }
    if (chat_.text.empty()) chat_.text = std::move(refusal);
    if (chat_.reasoning.empty()) chat_.reasoning = std::move(other_reasoning);
    return !scan_.failed();
  }

  bool read_usage() {
    if (scan_.kind() == JsonScanner::Kind::null) return scan_.read_null();
    bool has_prompt = false, has_completion = false;
    std::string_view key;
    for (scan_.enter_object(); scan_.next_member(key);) {
      bool good = false;
      if (key == "prompt_tokens") {
        good = first(has_prompt) && read_count(scan_, chat_.prompt_tokens);
      } else if (key == "completion_tokens") {
        good = first(has_completion) && read_count(scan_, chat_.completion_tokens);
      } else {
        good = scan_.skip();
      }
      if (!good) return false;
    }
    return !scan_.failed();
  }

  bool read_timings() {
    if (scan_.kind() == JsonScanner::Kind::null) return scan_.read_null();
    bool has_prefill = false, has_decode = false;
    std::string_view key;
    for (scan_.enter_object(); scan_.next_member(key);) {
      bool good = false;
      if (key == "prompt_ms") {
        good = first(has_prefill) && read_milliseconds(scan_, chat_.prefill_ms);
      } else if (key == "predicted_ms") {
        good = first(has_decode) && read_milliseconds(scan_, chat_.decode_ms);
      } else {
        good = scan_.skip();
      }
      if (!good) return false;
    }
    return !scan_.failed();
  }

  JsonScanner scan_;
  ChatReply chat_;
  bool has_choices_ = false, has_usage_ = false, has_timings_ = false, has_model_ = false;
  bool has_id_ = false, has_fingerprint_ = false, has_error_ = false;
};

}  // namespace

std::optional<ChatReply> plain_chat(std::string_view body) { return Reader(body).read(); }

}  // namespace http
}  // namespace psw
