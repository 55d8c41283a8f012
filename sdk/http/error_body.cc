// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/error_body.h>
#include <promptsweep/http/retry.h>

#include <nlohmann/json.hpp>

#include "text.h"

namespace psw {
namespace http {
namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_text = 500;
constexpr std::size_t longest_json = std::size_t(1) << 20;

// How many bytes the UTF-8 character at `at` has; 0: none begins there.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  const std::size_t length = first < 0x80                     ? 1
                             : first >= 0xC2 && first <= 0xDF ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// The first characters on one line: runs of blanks and control bytes become one blank, bytes that
// are not UTF-8 a question mark.
std::string one_line(std::string_view text) {
  std::string out;
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size() && characters < longest_text;) {
    const std::size_t length = utf8_length(text, at);
    const bool blank = length == 1 && static_cast<unsigned char>(text[at]) <= ' ';
    if (blank) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (length == 0) {
      out += '?';
    } else {
      out += text.substr(at, length);
    }
    if (!blank) ++characters;
    at += length == 0 ? 1 : length;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// A member as text, whatever its type; empty where it is absent or null.
std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return one_line(found->get_ref<const std::string&>());
  return one_line(found->dump(-1, ' ', false, Json::error_handler_t::replace));
}

// FastAPI's list of what is wrong: [{"loc":["body","seed"],"msg":"..."}].
std::string detail_of(const Json& detail) {
  if (!detail.is_array()) return {};
  std::string out;
  for (const Json& entry : detail) {
    if (!entry.is_object()) continue;
    const std::string message = text_of(entry, "msg");
    if (message.empty()) continue;
    if (!out.empty()) out += "; ";
    const std::string place = text_of(entry, "loc");
    out += place.empty() ? message : place + ": " + message;
  }
  return one_line(out);
}

ErrorBody of_object(const Json& object) {
  const auto error = object.find("error");
  if (error != object.end() && error->is_object()) {
    return {text_of(*error, "message"), text_of(*error, "type"), text_of(*error, "code")};
  }
  ErrorBody out{text_of(object, "message"), text_of(object, "type"), text_of(object, "code")};
  if (error != object.end() && error->is_string()) out.message = text_of(object, "error");
  if (out.message.empty() && object.contains("detail")) {
    out.message = detail_of(object["detail"]);
    if (out.message.empty()) out.message = text_of(object, "detail");
  }
  return out;
}

psw_status code_of(const Reply& reply) {
  switch (reply.failure) {
    case Failure::none:
      break;
    case Failure::timeout:
      return PSW_E_TIMEOUT;
    case Failure::too_large:
      return PSW_E_TOO_LARGE;
    case Failure::cancelled:
      return PSW_E_CANCELLED;
    case Failure::local:
      return PSW_E_RESOURCE;
    default:
      return PSW_E_UNAVAILABLE;
  }
  switch (reply.status) {
    case 401:
    case 402:
    case 403:
      return PSW_E_AUTH;
    case 404:
      return PSW_E_NOT_FOUND;
    case 408:
    case 504:
      return PSW_E_TIMEOUT;
    case 409:
    case 412:
      return PSW_E_STATE;
    case 413:
      return PSW_E_TOO_LARGE;
    case 425:
      return PSW_E_UNAVAILABLE;
    case 429:
      return PSW_E_RATE_LIMITED;
    default:
      break;
  }
  if (reply.status >= 400 && reply.status < 500) return PSW_E_INVALID_ARGUMENT;
  return reply.status >= 500 ? PSW_E_UNAVAILABLE : PSW_E_DATA;
}

const char* remedy_of(const Reply& reply) {
  switch (reply.failure) {
    case Failure::resolve:
      return "check the host name in the address";
    case Failure::connect:
      return "check that the server runs and that the address is right";
    case Failure::tls:
      return "check the server's certificate and the CA bundle";
    default:
      break;
  }
  switch (reply.status) {
    case 401:
    case 403:
      return "check the API key and what it may do";
    case 402:
      return "check the account's payment and limits";
    case 404:
      return "check the address and the name of the model";
    default:
      return "";
  }
}

}  // namespace

ErrorBody parse_error_body(std::string_view body) {
  ErrorBody out;
  const Json json = body.size() <= longest_json ? Json::parse(body, nullptr, false) : Json();
  if (json.is_string()) {
    out.message = one_line(json.get_ref<const std::string&>());
  } else if (json.is_object()) {
    out = of_object(json);
  }
  if (out.message.empty()) out.message = one_line(body);
  if (out.message.empty()) out.message = "no reason was given";
  return out;
}

Error to_error(std::string_view what, const Reply& reply) {
  std::string text(what);
  if (!reply.arrived()) {
    text += ": " + reply.failure_text;
  } else {
    text += ": the server answered " + std::to_string(reply.status) + ": " +
            parse_error_body(reply.body).message;
  }
  if (const std::string_view remedy = remedy_of(reply); !remedy.empty()) {
    text += " (" + std::string(remedy) + ")";
  }
  Error error(code_of(reply), std::move(text));
  error.retryable = judge_by_status(reply, true).kind == Verdict::again;
  error.provider_code = reply.status;
  if (const auto wait = retry_after(reply, unix_us_now() / 1000)) {
    error.retry_after_ms = wait->count();
  }
  return error;
}

}  // namespace http
}  // namespace psw
