// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/client.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "sdk_http/client_fixture.h"

using namespace http_test;

BOOST_AUTO_TEST_SUITE(client)

BOOST_AUTO_TEST_CASE(a_reply_comes_with_its_headers) {
  ScriptedServer server([](const Got& got) {
    Answer answer = text("you sent " + got.body);
    answer.headers = {{"X-Thing", "one"}, {"Content-Type", "text/plain"}};
    return answer;
  });
  Client client{ClientOptions{}};
  Request request = post(server.url("/v1/chat?x=1"), "hello");
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  const Reply reply = client.run(request);
  BOOST_TEST(reply.good());
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.body == "you sent hello");
  BOOST_REQUIRE(reply.header("x-thing"));
  BOOST_TEST(*reply.header("X-THING") == "one");
  BOOST_TEST(!reply.header("absent"));
  BOOST_TEST(reply.may_have_acted);
  BOOST_TEST(reply.attempts == 1u);
  BOOST_TEST(reply.failure_text.empty());
  BOOST_TEST(reply.total_ms >= reply.first_byte_ms);
  BOOST_TEST(reply.first_byte_ms > 0);
  BOOST_TEST(reply.queue_ms >= 0);
  BOOST_TEST(reply.finished_unix_us >= reply.started_unix_us);
  const Got got = server.requests().at(0);
  BOOST_TEST(got.method == "POST");
  BOOST_TEST(got.target == "/v1/chat?x=1");
  BOOST_TEST(*got.header("content-type") == "application/json");
  BOOST_TEST(*got.header("content-length") == "5");
  BOOST_TEST(*got.header("user-agent") == "promptsweep");
  BOOST_REQUIRE(got.header("x-empty"));
  BOOST_TEST(got.header("x-empty")->empty());
  BOOST_TEST(!got.header("expect"));
}

BOOST_AUTO_TEST_CASE(methods_and_bodies_are_sent_as_they_are) {
  ScriptedServer server([](const Got&) { return text(""); });
  Client client{ClientOptions{}};
  struct Case {
    const char *method, *body, *length;  // length: nullptr: no such header
  };
  const std::vector<Case> cases = {
      {"GET", "", nullptr}, {"HEAD", "", nullptr}, {"DELETE", "", nullptr}, {"POST", "", "0"},
      {"PUT", "", "0"},     {"PUT", "x\ny", "3"},  {"PATCH", "{}", "2"},    {"DELETE", "{}", "2"},
      {"POST", "abc", "3"}, {"GET", "", nullptr},
  };
  for (const Case& c : cases) {
    Request request = get(server.url("/a%20b"));
    request.method = c.method;
    request.body = c.body;
    BOOST_TEST(client.run(request).good());
    const Got got = server.requests().back();
    BOOST_TEST_CONTEXT(c.method << " with " << c.body) {
      BOOST_TEST(got.method == c.method);
      BOOST_TEST(got.body == c.body);
      BOOST_TEST(got.target == "/a%20b");
      const std::string* length = got.header("content-length");
      BOOST_TEST((length ? *length : "none") == (c.length ? c.length : "none"));
      BOOST_TEST(!got.header("content-type"));
      BOOST_TEST(!got.header("transfer-encoding"));
    }
  }
  BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_large_body_is_sent_at_once) {
  ScriptedServer server([](const Got& got) { return text(std::to_string(got.body.size())); });
  Client client{ClientOptions{}};
  const Reply reply = client.run(post(server.url(), std::string(5 << 20, 'x')));
  BOOST_TEST(reply.body == std::to_string(5 << 20));
  BOOST_TEST(!server.requests().at(0).header("expect"));
}

BOOST_AUTO_TEST_CASE(redirects_are_not_followed) {
  ScriptedServer server([](const Got&) {
    Answer answer = text("", 302);
    answer.headers = {{"Location", "/elsewhere"}};
    return answer;
  });
  Client client{ClientOptions{}};
  const Reply reply = client.run(get(server.url()));
  BOOST_TEST(reply.status == 302);
  BOOST_TEST(reply.arrived());
  BOOST_TEST(!reply.good());
  BOOST_TEST(server.request_count() == 1);
}

BOOST_AUTO_TEST_CASE(an_interim_reply_is_not_the_reply) {
  ScriptedServer server([](const Got&) {
    Answer answer;
    answer.raw =
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        "HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok";
    return answer;
  });
  Client client{ClientOptions{}};
  const Reply reply = client.run(get(server.url()));
  BOOST_TEST(reply.status == 201);
  BOOST_TEST(reply.body == "ok");
  BOOST_TEST(!reply.header("link"));
  BOOST_TEST(reply.headers.size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_is_not_tried) {
  ScriptedServer server([](const Got&) { return text(""); });
  Client client{ClientOptions{}};
  const auto refused = [&](const std::function<void(Request&)>& spoil) {
    Request request = get(server.url());
    spoil(request);
    const Reply reply = client.run(request);
    BOOST_TEST(reply.failure == Failure::local);
    BOOST_TEST(!reply.may_have_acted);
    BOOST_TEST(!reply.failure_text.empty());
    BOOST_TEST(reply.attempts == 1u);
  };
  refused([](Request& r) { r.headers = {{"X-A", "b\r\nX-Evil: c"}}; });
  refused([](Request& r) { r.headers = {{"X A", "b"}}; });
  refused([](Request& r) { r.method = "GET /evil"; });
  refused([](Request& r) { r.url = "file:///etc/hostname"; });
  refused([](Request& r) { r.url = "ftp://127.0.0.1/x"; });
  refused([](Request& r) { r.url = "http://[broken"; });
  refused([](Request& r) { r.body_file = "/no/such/file"; });
  refused([](Request& r) { r.parts = {{"f", "f", "", "", "/no/such/file"}}; });
  refused([](Request& r) {
    r.body = "a";
    r.body_file = "/dev/null";
  });
  refused([](Request& r) { r.secret = "KEY"; });
  BOOST_TEST(server.request_count() == 0);
}

BOOST_AUTO_TEST_CASE(no_more_than_the_limit_are_in_flight) {
  std::atomic<int> open{0}, most{0};
  ScriptedServer server([&](const Got&) {
    most = std::max(most.load(), ++open);
    Answer answer = text("");
    answer.delay = Milliseconds(5);
    return answer;
  });
  ClientOptions options;
  options.max_in_flight = 7;
  options.adaptive = false;
  Client client(options);
  Replies replies;
  for (int i = 0; i < 100; ++i) {
    client.start(get(server.url()), [&, taker = replies.taker()](Reply reply) {
      --open;
      taker(std::move(reply));
    });
  }
  BOOST_REQUIRE(replies.wait_for(100));
  BOOST_TEST(most == 7);
  BOOST_TEST(server.connections() <= 7);
  BOOST_TEST(client.standing().limit == 7u);
}

// The simulations of pace_test.cc say how well; this says that it works in earnest.
BOOST_AUTO_TEST_CASE(a_hidden_capacity_is_found) {
  constexpr std::size_t capacity = 24;
  std::size_t open = 0;  // of the server's thread
  std::atomic<std::size_t> served{0}, refused{0};
  ScriptedServer server([&](const Got&) {
    if (open >= capacity) {
      ++refused;
      return text("", 429);
    }
    ++open;
    Answer answer = text("");
    answer.delay = Milliseconds(20);
    answer.before_sent = [&] {
      --open;
      ++served;
    };
    return answer;
  });
  ClientOptions options;
  options.max_in_flight = 512;
  std::atomic<bool> enough{false};
  std::function<void(Reply)> next;
  Client client(options);
  next = [&](Reply) {
    if (!enough) client.start(get(server.url()), next);
  };
  for (int i = 0; i < 200; ++i) client.start(get(server.url()), next);
  const bool found = eventually([&] { return served > 2000; });
  const std::size_t limit = client.standing().limit;
  enough = true;
  BOOST_TEST(found);
  BOOST_TEST(limit >= capacity / 2);
  BOOST_TEST(limit <= 2 * capacity);
  BOOST_TEST(double(refused) < 0.1 * double(served));
  BOOST_TEST(client.standing().congested > 0u);
}

BOOST_AUTO_TEST_CASE(what_is_not_paced_waits_for_no_place) {
  ScriptedServer server(
      [](const Got& got) { return got.target == "/slow" ? silence() : text("quick"); });
  ClientOptions options;
  options.max_in_flight = 2;
  options.adaptive = false;
  Replies replies;
  Client client(options);
  for (int i = 0; i < 3; ++i) client.start(get(server.url("/slow")), replies.taker());
  BOOST_REQUIRE(eventually([&] { return server.request_count() == 2; }));
  BOOST_TEST(eventually([&] { return client.standing().in_flight == 2u; }));
  BOOST_TEST(client.standing().waiting == 1u);
  Request request = get(server.url("/quick"));
  request.paced = false;
  BOOST_TEST(client.run(request).body == "quick");
  BOOST_TEST(server.request_count() == 3);
}

BOOST_AUTO_TEST_CASE(the_first_sending_is_told_once) {
  ScriptedServer server([](const Got& got) { return text("", got.number < 3 ? 500 : 200); });
  Client client{ClientOptions{}};
  std::atomic<int> told{0};
  Request request = get(server.url());
  retry_at_once(request);
  request.on_first_send = [&] { ++told; };
  BOOST_TEST(client.run(request).attempts == 3u);
  BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_CASE(many_threads_start_and_every_done_comes_once) {
  ScriptedServer server([](const Got& got) { return text(got.body); });
  Client client{ClientOptions{}};
  constexpr int threads = 8, each = 100;
  std::mutex mutex;
  std::multiset<std::string> bodies;
  std::vector<std::thread> starters;
  Replies replies;
  for (int t = 0; t < threads; ++t) {
    starters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        client.start(post(server.url(), std::to_string(t) + "/" + std::to_string(i)),
                     [&, taker = replies.taker()](Reply reply) {
                       {
                         const std::lock_guard<std::mutex> lock(mutex);
                         bodies.insert(reply.body);
                       }
                       taker(std::move(reply));
                     });
      }
    });
  }
  for (std::thread& starter : starters) starter.join();
  BOOST_REQUIRE(replies.wait_for(threads * each));
  const std::lock_guard<std::mutex> lock(mutex);
  BOOST_TEST(bodies.size() == std::size_t(threads * each));
  BOOST_TEST(std::set<std::string>(bodies.begin(), bodies.end()).size() == bodies.size());
}

BOOST_AUTO_TEST_CASE(a_done_may_start_the_next_and_must_not_wait_for_it) {
  ScriptedServer server([](const Got& got) { return text(got.target); });
  Client client{ClientOptions{}};
  Replies replies;
  client.start(get(server.url("/first")), [&](Reply) {
    const Reply waited = client.run(get(server.url("/never")));
    BOOST_TEST(waited.failure == Failure::local);
    client.start(get(server.url("/second")), replies.taker());
  });
  BOOST_REQUIRE(replies.wait_for(1));
  BOOST_TEST(replies.all()[0].body == "/second");
}

BOOST_AUTO_TEST_CASE(a_throwing_function_of_the_caller_ends_nothing) {
  ScriptedServer server([](const Got&) { return text("fine"); });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.judge = [](const Reply&) -> Verdict { throw std::runtime_error("judge"); };
  request.on_first_send = [] { throw std::runtime_error("send"); };
  BOOST_TEST(client.run(request).body == "fine");
  Replies replies;
  client.start(get(server.url()), [&, taker = replies.taker()](Reply reply) {
    taker(std::move(reply));
    throw std::runtime_error("done");
  });
  BOOST_REQUIRE(replies.wait_for(1));
  BOOST_TEST(client.run(get(server.url())).good());
}

BOOST_AUTO_TEST_CASE(a_proxy_is_used_where_it_is_named) {
  ScriptedServer proxy([](const Got& got) { return text("by proxy: " + got.target); });
  ClientOptions options;
  options.proxy = proxy.url("");
  Client client(options);
  BOOST_TEST(client.run(get("http://service.invalid/v1")).body ==
             "by proxy: http://service.invalid/v1");
}

BOOST_AUTO_TEST_SUITE_END()
