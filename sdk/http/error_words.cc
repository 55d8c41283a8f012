// SPDX-License-Identifier: Apache-2.0
#include "error_words.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

namespace psw {
namespace http {
namespace {

std::string all_of(const ErrorBody& said) {
  std::string text = said.type + " " + said.code + " " + said.message;
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool has_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

}  // namespace

bool speaks_of_long_prompt(const ErrorBody& said) {
  return has_any(all_of(said),
                 {"context_length_exceeded", "exceed_context_size", "maximum context length",
                  "maximum model length", "context length", "context size", "context window",
                  "prompt is too long", "prompt is longer than", "longer than the context",
                  "longer than the maximum model"});
}

bool speaks_of_quota(const ErrorBody& said) {
  return has_any(all_of(said), {"insufficient_quota", "exceeded your current quota",
                                "insufficient credit", "spending limit", "billing"});
}

bool speaks_of_moderation(const ErrorBody& said) {
  return has_any(all_of(said), {"moderation", "flagged", "content_policy", "content policy"});
}

int status_of(const ErrorBody& said) {
  int number = 0;
  const std::string& code = said.code;
  const auto read = std::from_chars(code.data(), code.data() + code.size(), number);
  if (read.ec == std::errc() && read.ptr == code.data() + code.size() && number >= 400 &&
      number <= 599) {
    return number;
  }
  const std::string text = all_of(said);
  if (speaks_of_long_prompt(said)) return 400;
  if (has_any(text, {"rate_limit", "rate limit", "too many requests", "insufficient_quota"}))
    return 429;
  if (has_any(text, {"overloaded", "unavailable", "server busy", "loading model"})) return 503;
  if (has_any(text, {"invalid_api_key", "authentication", "unauthorized"})) return 401;
  if (has_any(text, {"permission_error", "permission denied"})) return 403;
  if (has_any(text, {"model_not_found", "not_found_error", "notfounderror"})) return 404;
  if (has_any(text, {"invalid_request", "badrequest", "bad request", "unsupported_"})) return 400;
  return 500;
}

}  // namespace http
}  // namespace psw
