// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/retry.h>

#include <boost/test/unit_test.hpp>

using namespace psw::http;

namespace {

Reply reply_of(int status, std::vector<Header> headers = {}) {
  Reply reply;
  reply.status = status;
  reply.headers = std::move(headers);
  reply.may_have_acted = true;
  return reply;
}

Reply lost(Failure failure, bool may_have_acted) {
  Reply reply;
  reply.failure = failure;
  reply.may_have_acted = may_have_acted;
  return reply;
}

bool tried_again(const Reply& reply, bool repeatable = true) {
  return judge_by_status(reply, repeatable).kind == Verdict::again;
}

// 2024-01-02T03:04:05Z
constexpr std::int64_t now_ms = 1'704'164'645'000;

std::int64_t wait_ms(std::vector<Header> headers) {  // -1: none
  const auto wait = retry_after(reply_of(429, std::move(headers)), now_ms);
  return wait ? wait->count() : -1;
}

std::int64_t pause_ms(std::vector<Header> headers) {
  const auto pause = rate_limit_pause(reply_of(200, std::move(headers)), now_ms);
  return pause ? pause->count() : -1;
}

std::int64_t duration_ms(std::string_view text) {
  const auto duration = parse_duration(text);
  return duration ? duration->count() : -1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(retry)

BOOST_AUTO_TEST_CASE(by_status) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504, 520, 529}) {
    BOOST_TEST(tried_again(reply_of(status)), status);
  }
  for (const int status : {200, 201, 302, 400, 401, 402, 403, 404, 405, 409, 412, 413, 422, 501}) {
    BOOST_TEST(!tried_again(reply_of(status)), status);
  }
  for (const int status : {200, 400, 429, 500, 502, 503, 529}) {
    const bool congested = status == 429 || status == 503 || status == 529;
    BOOST_TEST(judge_by_status(reply_of(status), true).congested == congested, status);
  }
}

BOOST_AUTO_TEST_CASE(by_failure) {
  for (const Failure failure : {Failure::resolve, Failure::connect, Failure::tls, Failure::reset,
                                Failure::cut, Failure::timeout}) {
    BOOST_TEST(tried_again(lost(failure, true)));
    BOOST_TEST(!tried_again(lost(failure, true), false));
    BOOST_TEST(tried_again(lost(failure, false), false));
  }
  for (const Failure failure : {Failure::too_large, Failure::cancelled, Failure::local}) {
    BOOST_TEST(!tried_again(lost(failure, false)));
  }
}

BOOST_AUTO_TEST_CASE(what_could_be_paid_twice) {
  for (const int status : {408, 425, 500, 502, 504, 520, 529}) {
    BOOST_TEST(!tried_again(reply_of(status), false), status);
  }
  BOOST_TEST(tried_again(reply_of(429), false));
  BOOST_TEST(tried_again(reply_of(503), false));
  BOOST_TEST(!tried_again(reply_of(500, {{"x-should-retry", "true"}}), false));
}

BOOST_AUTO_TEST_CASE(the_servers_wish) {
  BOOST_TEST(tried_again(reply_of(400, {{"X-Should-Retry", "true"}})));
  BOOST_TEST(!tried_again(reply_of(500, {{"x-should-retry", " False "}})));
  BOOST_TEST(tried_again(reply_of(500, {{"x-should-retry", "perhaps"}})));
  BOOST_TEST(!tried_again(reply_of(200, {{"x-should-retry", "true"}})));
}

BOOST_AUTO_TEST_CASE(the_wait_that_a_reply_asks_for) {
  BOOST_TEST(wait_ms({}) == -1);
  BOOST_TEST(wait_ms({{"Retry-After", "2"}}) == 2000);
  BOOST_TEST(wait_ms({{"retry-after", " 1.5 "}}) == 1500);
  BOOST_TEST(wait_ms({{"RETRY-AFTER-MS", "120.2"}, {"retry-after", "9"}}) == 121);
  BOOST_TEST(wait_ms({{"retry-after-ms", "soon"}, {"retry-after", "9"}}) == 9000);
  BOOST_TEST(wait_ms({{"retry-after", "Tue, 02 Jan 2024 03:04:15 GMT"}}) == 10'000);
  BOOST_TEST(wait_ms({{"retry-after", "Tue, 02 Jan 2024 03:04:00 GMT"}}) == -1);
  for (const char* none : {"0", "-1", "", "soon", "nan", "inf", "1e", "0x10", "1s"}) {
    BOOST_TEST(wait_ms({{"retry-after", none}}) == -1, none);
  }
  for (const char* huge : {"1e300", "99999999999999999999999", "1e999"}) {
    BOOST_TEST(wait_ms({{"retry-after", huge}}) > 1'000'000'000, huge);
  }
}

BOOST_AUTO_TEST_CASE(backing_off) {
  BOOST_TEST(backoff(0, 1).count() == 500);
  BOOST_TEST(backoff(1, 1).count() == 1000);
  BOOST_TEST(backoff(3, 0.75).count() == 3000);
  BOOST_TEST(backoff(4, 1).count() == 8000);
  BOOST_TEST(backoff(5, 1).count() == 8000);
  BOOST_TEST(backoff(UINT32_MAX, 0.75).count() == 6000);
}

BOOST_AUTO_TEST_CASE(durations) {
  BOOST_TEST(duration_ms("12ms") == 12);
  BOOST_TEST(duration_ms("1s") == 1000);
  BOOST_TEST(duration_ms("6m0s") == 360'000);
  BOOST_TEST(duration_ms("1h2m3.5s") == 3'723'500);
  BOOST_TEST(duration_ms("7") == 7000);
  BOOST_TEST(duration_ms(" 0.25 ") == 250);
  BOOST_TEST(duration_ms("0s") == 0);
  BOOST_TEST(duration_ms("200us") == 1);
  BOOST_TEST(duration_ms("9999999999999h") > 1'000'000'000);
  for (const char* none : {"", "s", "-1s", "1x", "1s2", "1 s", ".", "1.2.3s", "1hm"}) {
    BOOST_TEST(duration_ms(none) == -1, none);
  }
}

BOOST_AUTO_TEST_CASE(rate_limits) {
  BOOST_TEST(pause_ms({}) == -1);
  BOOST_TEST(pause_ms({{"x-ratelimit-remaining-requests", "0"},
                       {"x-ratelimit-reset-requests", "1m2s"}}) == 62'000);
  BOOST_TEST(pause_ms({{"X-RateLimit-Remaining-Tokens", "0"},
                       {"X-RateLimit-Reset-Tokens", "12ms"},
                       {"x-ratelimit-remaining-requests", "0"},
                       {"x-ratelimit-reset-requests", "5s"}}) == 5000);
  BOOST_TEST(pause_ms({{"x-ratelimit-remaining-requests", "1"},
                       {"x-ratelimit-reset-requests", "5s"}}) == -1);
  BOOST_TEST(pause_ms({{"x-ratelimit-remaining-tokens-prompt", "0"}}) == -1);
  BOOST_TEST(pause_ms({{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1704164650"}}) ==
             5000);
  BOOST_TEST(pause_ms({{"anthropic-ratelimit-requests-remaining", "0"},
                       {"anthropic-ratelimit-requests-reset", "2024-01-02T03:04:08Z"}}) == 3000);
  BOOST_TEST(pause_ms({{"x-ratelimit-remaining-requests", "0"},
                       {"x-ratelimit-reset-requests", "0s"}}) == -1);
}

BOOST_AUTO_TEST_SUITE_END()
