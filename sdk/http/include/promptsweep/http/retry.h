// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/http/retry.h -- when a request is sent again, and how long to wait. Pure functions.
#ifndef PROMPTSWEEP_HTTP_RETRY_H_INCLUDED
#define PROMPTSWEEP_HTTP_RETRY_H_INCLUDED

#include <promptsweep/http/client.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace psw {
namespace http {

// `x-should-retry: true|false` decides where it stands. Else: failures of the connection, 408, 425,
// 429, 500, 502, 503, 504, 520 and 529 are tried again, other replies are final. 429, 503 and 529
// are congestion. A request that is not repeatable is sent again only where the server cannot have
// acted on it, or says so with 429 or 503.
Verdict judge_by_status(const Reply& reply, bool repeatable);

// The wait that the reply asks for: `retry-after-ms`, else `retry-after` in seconds (with a
// fraction) or as an HTTP date. nullopt: none, not readable, or not in the future.
std::optional<Milliseconds> retry_after(const Reply& reply, std::int64_t now_unix_ms);

// min(0.5 s * 2^tries, 8 s) times `jitter`, which the caller draws from [0.75, 1]; tries from 0.
Milliseconds backoff(std::uint32_t tries, double jitter);

// A duration as rate-limit headers write it: "12ms", "1s", "6m0s", "1h2m3.5s", or plain seconds.
std::optional<Milliseconds> parse_duration(std::string_view text);

// How long no request should be sent, by rate-limit headers that say that none is left
// (x-ratelimit-remaining-requests: 0 with x-ratelimit-reset-requests, and the like for tokens).
std::optional<Milliseconds> rate_limit_pause(const Reply& reply, std::int64_t now_unix_ms);

}  // namespace http
}  // namespace psw

#endif
