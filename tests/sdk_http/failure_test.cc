// SPDX-License-Identifier: Apache-2.0
//
// What can go wrong on the way, and what is done about it.
#include <promptsweep/http/client.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "sdk_http/client_fixture.h"
#include "temporary_folder.h"

using namespace http_test;

namespace {

Request once(Request request) {
  request.max_attempts = 1;
  return request;
}

// A port that nobody listens on.
std::string nobody() {
  const ScriptedServer server([](const Got&) { return text(""); });
  return server.url();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failure)

BOOST_AUTO_TEST_CASE(nothing_is_sent_where_nobody_listens) {
  Client client{ClientOptions{}};
  const Reply reply = client.run(once(post(nobody(), "x")));
  BOOST_TEST(reply.failure == Failure::connect);
  BOOST_TEST(!reply.may_have_acted);
  BOOST_TEST(reply.status == 0);
  BOOST_TEST(!reply.failure_text.empty());
}

BOOST_AUTO_TEST_CASE(a_name_that_nobody_has) {
  Client client{ClientOptions{}};
  const Reply reply = client.run(once(get("http://no-such-host.invalid/")));
  BOOST_TEST(reply.failure == Failure::resolve);
  BOOST_TEST(!reply.may_have_acted);
}

BOOST_AUTO_TEST_CASE(lost_before_within_and_after_the_head_of_a_reply) {
  struct Case {
    long bytes;
    Answer::End end;
    Failure failure;
  };
  const std::vector<Case> cases = {
      {0, Answer::close, Failure::reset},  {0, Answer::reset, Failure::reset},
      {20, Answer::close, Failure::reset},  // not even a line
      {30, Answer::close, Failure::cut},   {60, Answer::close, Failure::cut},
  };
  for (const Case& c : cases) {
    ScriptedServer server([&](const Got&) {
      Answer answer = text(std::string(100, 'x'));
      answer.bytes = c.bytes;
      answer.end = c.end;
      return answer;
    });
    Client client{ClientOptions{}};
    const Reply reply = client.run(once(get(server.url())));
    BOOST_TEST_CONTEXT(c.bytes << " bytes, end " << int(c.end)) {
      BOOST_TEST(to_string(reply.failure) == to_string(c.failure));
      BOOST_TEST(reply.may_have_acted);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_reply_that_is_no_http) {
  ScriptedServer server([](const Got&) {
    Answer answer;
    answer.raw = "SSH-2.0-OpenSSH\r\n\r\n";
    answer.end = Answer::close;
    return answer;
  });
  Client client{ClientOptions{}};
  const Reply reply = client.run(once(get(server.url())));
  BOOST_TEST(reply.failure == Failure::cut);
  BOOST_TEST(reply.may_have_acted);
}

BOOST_AUTO_TEST_CASE(a_cut_chunked_reply) {
  ScriptedServer server([](const Got&) {
    Answer answer;
    answer.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    answer.end = Answer::close;
    return answer;
  });
  Client client{ClientOptions{}};
  BOOST_TEST(client.run(once(get(server.url()))).failure == Failure::cut);
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers) {
  ScriptedServer server([](const Got&) { return silence(); });
  Client client{ClientOptions{}};
  Request request = once(get(server.url()));
  request.deadline = Milliseconds(150);
  const auto before = Clock::now();
  const Reply reply = client.run(request);
  BOOST_TEST(reply.failure == Failure::timeout);
  BOOST_TEST(reply.may_have_acted);
  BOOST_TEST((Clock::now() - before >= Milliseconds(150)));
}

BOOST_AUTO_TEST_CASE(a_reply_that_stalls) {
  ScriptedServer server([](const Got&) {
    Answer answer = text(std::string(100, 'x'));
    answer.bytes = 60;
    answer.between_bytes = Milliseconds(1);
    answer.end = Answer::silent;
    return answer;
  });
  Client client{ClientOptions{}};
  Request request = once(get(server.url()));
  request.stall = Milliseconds(1000);
  const Reply reply = client.run(request);
  BOOST_TEST(reply.failure == Failure::timeout);
}

BOOST_AUTO_TEST_CASE(slow_bytes_arrive) {
  ScriptedServer server([](const Got&) {
    Answer answer = text("slow but whole");
    answer.between_bytes = Milliseconds(2);
    return answer;
  });
  Client client{ClientOptions{}};
  BOOST_TEST(client.run(get(server.url())).body == "slow but whole");
}

BOOST_AUTO_TEST_CASE(a_reply_may_be_too_large_with_and_without_its_length) {
  for (const bool announced : {true, false}) {
    ScriptedServer server([&](const Got&) {
      Answer answer = text(std::string(1001, 'x'));
      answer.announces_length = announced;
      answer.end = Answer::close;
      return answer;
    });
    Client client{ClientOptions{}};
    Request request = get(server.url());
    request.max_reply_bytes = 1000;
    const Reply reply = client.run(request);
    BOOST_TEST(reply.failure == Failure::too_large);
    BOOST_TEST(reply.attempts == 1u);
    request.max_reply_bytes = 1001;
    BOOST_TEST(client.run(request).body.size() == 1001u);
  }
}

// ---- trying again ----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_lost_request_is_sent_again) {
  ScriptedServer server([](const Got& got) {
    Answer answer = text("at last");
    if (got.number < 3) answer.bytes = 0;
    if (got.number < 3) answer.end = got.number == 1 ? Answer::reset : Answer::close;
    return answer;
  });
  Client client{ClientOptions{}};
  Request request = post(server.url(), "again and again");
  retry_at_once(request);
  const Reply reply = client.run(request);
  BOOST_TEST(reply.body == "at last");
  BOOST_TEST(reply.attempts == 3u);
  BOOST_TEST(server.request_count() == 3);
  for (const Got& got : server.requests()) BOOST_TEST(got.body == "again and again");
  BOOST_TEST(client.standing().attempts == 3u);
}

BOOST_AUTO_TEST_CASE(attempts_are_counted_and_end) {
  ScriptedServer server([](const Got&) { return text("no", 500); });
  Client client{ClientOptions{}};
  for (const std::uint32_t most : {1u, 2u, 5u}) {
    Request request = get(server.url());
    retry_at_once(request);
    request.max_attempts = most;
    const int before = server.request_count();
    const Reply reply = client.run(request);
    BOOST_TEST(reply.status == 500);
    BOOST_TEST(reply.attempts == most);
    BOOST_TEST(server.request_count() - before == int(most));
  }
}

BOOST_AUTO_TEST_CASE(retry_after_is_obeyed_up_to_the_cap) {
  const auto waited = [](std::string header, std::string value, Milliseconds cap) {
    ScriptedServer server([&](const Got& got) {
      Answer answer = text("", got.number == 1 ? 429 : 200);
      if (got.number == 1) answer.headers = {{header, value}};
      return answer;
    });
    ClientOptions options;
    options.retry_after_cap = cap;
    Client client(options);
    const auto before = Clock::now();
    const Reply reply = client.run(get(server.url()));
    BOOST_TEST(reply.good());
    BOOST_TEST(reply.attempts == 2u);
    return std::chrono::duration_cast<Milliseconds>(Clock::now() - before).count();
  };
  constexpr Milliseconds far{60'000};
  BOOST_TEST(waited("Retry-After-Ms", "60", far) >= 60);
  BOOST_TEST(waited("Retry-After", "0.06", far) >= 60);
  BOOST_TEST(waited("Retry-After", "1", far) >= 1000);
  // Huge, and a date far away: no longer than the cap.
  const auto huge = waited("Retry-After", "99999999999999999999", Milliseconds(50));
  BOOST_TEST(huge >= 50);
  BOOST_TEST(huge < 10'000);
  BOOST_TEST(waited("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT", Milliseconds(50)) < 10'000);
  // Negative: the usual backoff.
  BOOST_TEST(waited("Retry-After", "-5", far) >= 375);
}

BOOST_AUTO_TEST_CASE(what_waits_to_be_sent_again_takes_no_place) {
  ScriptedServer server([](const Got& got) {
    return got.target == "/fails" && got.number == 1 ? text("", 500) : text("fine");
  });
  ClientOptions options;
  options.max_in_flight = 1;
  Client client(options);
  Replies replies;
  Request fails = get(server.url("/fails"));
  fails.judge = [](const Reply& reply) {
    Verdict verdict;
    verdict.kind = reply.good() ? Verdict::done : Verdict::again;
    verdict.after = Milliseconds(1500);
    return verdict;
  };
  client.start(fails, replies.taker());
  BOOST_REQUIRE(eventually([&] { return server.request_count() == 1; }));
  for (int i = 0; i < 5; ++i) BOOST_TEST(client.run(get(server.url("/other"))).good());
  BOOST_TEST(replies.size() == 0u);
  BOOST_REQUIRE(replies.wait_for(1));
  BOOST_TEST(replies.all()[0].good());
}

BOOST_AUTO_TEST_CASE(a_wish_of_the_server_decides) {
  ScriptedServer server([](const Got& got) {
    Answer answer = text("", got.target == "/never" ? 503 : got.number % 2 == 1 ? 400 : 200);
    answer.headers = {{"X-Should-Retry", got.target == "/never" ? "false" : "true"},
                      {"retry-after-ms", "1"}};
    return answer;
  });
  Client client{ClientOptions{}};
  BOOST_TEST(client.run(get(server.url("/again"))).attempts == 2u);
  BOOST_TEST(client.run(get(server.url("/never"))).attempts == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_while_a_rate_limit_is_used_up) {
  ScriptedServer server([](const Got&) {
    Answer answer = text("");
    answer.headers = {{"x-ratelimit-remaining-requests", "0"},
                      {"x-ratelimit-reset-requests", "300ms"}};
    return answer;
  });
  Client client{ClientOptions{}};
  BOOST_TEST(client.run(get(server.url())).good());
  const auto before = Clock::now();
  BOOST_TEST(client.run(get(server.url())).good());
  BOOST_TEST((Clock::now() - before >= Milliseconds(250)));
  // What is not paced does not wait.
  Request request = get(server.url());
  request.paced = false;
  BOOST_TEST(client.run(request).queue_ms < 250);
}

// ---- never twice -----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_could_be_paid_twice_is_sent_once) {
  for (const auto end : {Answer::close, Answer::reset}) {
    for (const long bytes : {0L, 30L}) {
      ScriptedServer server([&](const Got&) {
        Answer answer = text("created");
        answer.bytes = bytes;
        answer.end = end;
        return answer;
      });
      Client client{ClientOptions{}};
      Request request = post(server.url(), "create a job");
      request.repeatable = false;
      retry_at_once(request);
      const Reply reply = client.run(request);
      BOOST_TEST(!reply.arrived());
      BOOST_TEST(reply.may_have_acted);
      BOOST_TEST(reply.attempts == 1u);
      BOOST_TEST(server.request_count() == 1);
    }
  }
}

// The connection was kept from an earlier request; libcurl by itself would send again on a new one.
BOOST_AUTO_TEST_CASE(it_is_sent_once_on_a_kept_connection_too) {
  for (const bool repeatable : {false, true}) {
    ScriptedServer server([](const Got& got) {
      Answer answer = text("fine");
      if (got.number == 2) answer.bytes = 0;
      if (got.number == 2) answer.end = Answer::close;
      return answer;
    });
    Client client{ClientOptions{}};
    BOOST_TEST(client.run(get(server.url())).good());
    Request request = post(server.url(), "create a job");
    request.repeatable = repeatable;
    std::atomic<int> told{0};
    request.on_first_send = [&] { ++told; };
    retry_at_once(request);
    const Reply reply = client.run(request);
    BOOST_TEST(reply.may_have_acted);
    BOOST_TEST(told == 1);
    BOOST_TEST(server.requests().at(1).connection == 1);
    if (repeatable) {
      BOOST_TEST(reply.good());
      BOOST_TEST(reply.attempts == 2u);
      BOOST_TEST(server.request_count() == 3);
    } else {
      BOOST_TEST(reply.failure == Failure::reset);
      BOOST_TEST(reply.attempts == 1u);
      BOOST_TEST(server.request_count() == 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(it_is_sent_again_where_the_server_says_that_it_did_not_act) {
  for (const int status : {429, 503, 500, 502, 408}) {
    ScriptedServer server([&](const Got& got) {
      Answer answer = text("", got.number == 1 ? status : 200);
      answer.headers = {{"retry-after-ms", "1"}};
      return answer;
    });
    Client client{ClientOptions{}};
    Request request = post(server.url(), "create a job");
    request.repeatable = false;
    const Reply reply = client.run(request);
    const bool did_not_act = status == 429 || status == 503;
    BOOST_TEST(reply.status == (did_not_act ? 200 : status));
    BOOST_TEST(server.request_count() == (did_not_act ? 2 : 1));
  }
}

BOOST_AUTO_TEST_CASE(it_is_tried_again_where_nothing_was_sent) {
  Client client{ClientOptions{}};
  Request request = post(nobody(), "create a job");
  request.repeatable = false;
  retry_at_once(request);
  const Reply reply = client.run(request);
  BOOST_TEST(reply.failure == Failure::connect);
  BOOST_TEST(reply.attempts == 4u);
  BOOST_TEST(!reply.may_have_acted);
}

BOOST_AUTO_TEST_SUITE_END()
