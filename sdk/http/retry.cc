// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <promptsweep/http/retry.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <promptsweep/backend.hpp>
#include <string>

#include "text.h"

namespace psw {
namespace http {
namespace {

// Longer than anybody waits, and far from any overflow.
constexpr double longest_ms = 10.0 * 365 * 24 * 3600 * 1000;

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range && !text.empty() && text[0] != '-') return longest_ms;
  if (error != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<Milliseconds> positive(double ms) {
  if (!(ms > 0)) return std::nullopt;
  return Milliseconds(std::int64_t(std::ceil(std::min(ms, longest_ms))));
}

// Milliseconds of one unit; 0: no such unit.
double unit_ms(std::string_view unit) {
  if (unit == "h") return 3'600'000;
  if (unit == "m") return 60'000;
  if (unit == "s") return 1000;
  if (unit == "ms") return 1;
  if (unit == "us" || unit == "\xC2\xB5s") return 1e-3;
  if (unit == "ns") return 1e-6;
  return 0;
}

std::optional<Milliseconds> until_date(std::string_view text, std::int64_t now_unix_ms) {
  const std::time_t when = curl_getdate(std::string(text).c_str(), nullptr);
  if (when == -1) return std::nullopt;
  return positive(double(when) * 1000 - double(now_unix_ms));
}

// "2024-01-02T03:04:05Z" and the like, which curl_getdate reads as "20240102 03:04:05 GMT".
std::optional<Milliseconds> until_timestamp(std::string_view text, std::int64_t now_unix_ms) {
  if (text.size() < 19 || text[4] != '-' || text[10] != 'T') return std::nullopt;
  std::string date(text.substr(0, 4));
  date.append(text.substr(5, 2)).append(text.substr(8, 2)).append(" ");
  date.append(text.substr(11, 8)).append(" GMT");
  return until_date(date, now_unix_ms);
}

// A reset as a duration, as a moment in seconds since 1970, or as a timestamp.
std::optional<Milliseconds> reset_in(std::string_view text, std::int64_t now_unix_ms) {
  if (const auto moment = until_timestamp(text, now_unix_ms)) return moment;
  if (const auto number = parse_number(text); number && *number > 1e9) {
    return positive(*number * 1000 - double(now_unix_ms));
  }
  return parse_duration(text);
}

bool starts_with_any_case(std::string_view text, std::string_view head) {
  return text.size() >= head.size() && equal_any_case(text.substr(0, head.size()), head);
}

// The name of the header that says when a limit is renewed, for one that says what is left of it.
std::string reset_name(std::string_view name) {
  for (const std::string_view head : {"x-ratelimit-remaining", "ratelimit-remaining"}) {
    if (!starts_with_any_case(name, head)) continue;
    const std::string_view family =
        head.substr(0, head.size() - std::string_view("remaining").size());
    return std::string(family) + "reset" + std::string(name.substr(head.size()));
  }
  constexpr std::string_view tail = "-remaining";
  if (starts_with_any_case(name, "anthropic-ratelimit-") && name.size() > tail.size() &&
      equal_any_case(name.substr(name.size() - tail.size()), tail)) {
    return std::string(name.substr(0, name.size() - tail.size())) + "-reset";
  }
  return {};
}

bool tried_again(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 520:
    case 529:
      return true;
    default:
      return false;
  }
}

bool failure_of_connection(Failure failure) {
  switch (failure) {
    case Failure::resolve:
    case Failure::connect:
    case Failure::tls:
    case Failure::reset:
    case Failure::cut:
    case Failure::timeout:
      return true;
    default:
      return false;
  }
}

bool worth_another_try(const Reply& reply) {
  if (!reply.arrived()) return failure_of_connection(reply.failure);
  if (reply.good()) return false;
  if (const std::string* wish = reply.header("x-should-retry")) {
    if (equal_any_case(trimmed(*wish), "true")) return true;
    if (equal_any_case(trimmed(*wish), "false")) return false;
  }
  return tried_again(reply.status);
}

}  // namespace

Verdict judge_by_status(const Reply& reply, bool repeatable) {
  Verdict verdict;
  verdict.congested =
      reply.arrived() && (reply.status == 429 || reply.status == 503 || reply.status == 529);
  const bool did_not_act =
      !reply.may_have_acted || (reply.arrived() && (reply.status == 429 || reply.status == 503));
  if (!worth_another_try(reply) || (!repeatable && !did_not_act)) return verdict;
  verdict.kind = Verdict::again;
  if (reply.arrived()) verdict.after = retry_after(reply, unix_us_now() / 1000);
  return verdict;
}

std::optional<Milliseconds> retry_after(const Reply& reply, std::int64_t now_unix_ms) {
  if (const std::string* header = reply.header("retry-after-ms")) {
    if (const auto ms = parse_number(trimmed(*header))) return positive(*ms);
  }
  const std::string* header = reply.header("retry-after");
  if (!header) return std::nullopt;
  const std::string_view text = trimmed(*header);
  if (const auto seconds = parse_number(text)) return positive(*seconds * 1000);
  return until_date(text, now_unix_ms);
}

Milliseconds backoff(std::uint32_t tries, double jitter) {
  const double seconds = std::min(0.5 * std::pow(2.0, double(std::min(tries, 10u))), 8.0);
  return Milliseconds(std::int64_t(seconds * 1000 * jitter));
}

std::optional<Milliseconds> parse_duration(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return std::nullopt;
  double ms = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = parse_number(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    const std::size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    // Plain seconds have no unit, and nothing before them.
    const double unit = letters == 0 && ms == 0 ? 1000 : unit_ms(text.substr(0, letters));
    if (unit == 0) return std::nullopt;
    ms += *number * unit;
    text.remove_prefix(letters);
  }
  return Milliseconds(std::int64_t(std::ceil(std::min(ms, longest_ms))));
}

std::optional<Milliseconds> rate_limit_pause(const Reply& reply, std::int64_t now_unix_ms) {
  std::optional<Milliseconds> longest;
  for (const Header& header : reply.headers) {
    const std::string reset = reset_name(header.name);
    if (reset.empty()) continue;
    const auto left = parse_number(trimmed(header.value));
    const std::string* when = reply.header(reset);
    if (!left || *left > 0 || !when) continue;
    const auto pause = reset_in(trimmed(*when), now_unix_ms);
    if (pause && pause->count() > 0 && (!longest || *pause > *longest)) longest = pause;
  }
  return longest;
}

}  // namespace http
}  // namespace psw
