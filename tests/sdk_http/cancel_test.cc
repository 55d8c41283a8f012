// SPDX-License-Identifier: Apache-2.0
//
// A cancelled request is done within 200 ms, in whatever state it is; the tests grant a loaded
// machine a second.
#include <promptsweep/http/client.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/test/unit_test.hpp>

#include "sdk_http/client_fixture.h"

using namespace http_test;

namespace {

constexpr Milliseconds soon{1000};

// Cancels once `when` holds and looks at what comes of it.
Reply cancelled(Client& client, Request request, const std::function<bool()>& when) {
  Replies replies;
  const auto ticket = client.start(std::move(request), replies.taker());
  BOOST_REQUIRE(eventually(when));
  std::this_thread::sleep_for(Milliseconds(20));
  BOOST_TEST(replies.size() == 0u);
  const auto before = Clock::now();
  client.cancel(ticket);
  BOOST_REQUIRE(replies.wait_for(1));
  BOOST_TEST((Clock::now() - before < soon));
  client.cancel(ticket);  // of no effect
  BOOST_TEST(replies.all()[0].failure == Failure::cancelled);
  BOOST_TEST(!replies.all()[0].failure_text.empty());
  return replies.all()[0];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cancelling)

BOOST_AUTO_TEST_CASE(while_it_waits_for_a_place) {
  ScriptedServer server([](const Got&) { return silence(); });
  ClientOptions options;
  options.max_in_flight = 1;
  Client client(options);
  client.start(get(server.url()), [](Reply) {});
  const Reply reply = cancelled(client, get(server.url("/second")), [&] {
    return server.request_count() == 1 && client.standing().waiting == 1;
  });
  BOOST_TEST(!reply.may_have_acted);
  BOOST_TEST(reply.attempts == 0u);
  BOOST_TEST(server.request_count() == 1);
}

BOOST_AUTO_TEST_CASE(while_it_waits_to_be_sent_again) {
  ScriptedServer server([](const Got&) {
    Answer answer = text("", 503);
    answer.headers = {{"Retry-After", "100"}};
    return answer;
  });
  Client client{ClientOptions{}};
  const Reply reply = cancelled(client, get(server.url()), [&] {
    return client.standing().attempts == 1 && client.standing().waiting == 1;
  });
  BOOST_TEST(reply.attempts == 1u);
  BOOST_TEST(server.request_count() == 1);
}

BOOST_AUTO_TEST_CASE(while_it_connects) {
  // A queue of one that is full: a further connection is neither taken nor refused.
  namespace asio = boost::asio;
  using asio::ip::tcp;
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0}, true);
  acceptor.listen(0);
  std::vector<tcp::socket> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(io, tcp::v4());
    fillers.back().async_connect(acceptor.local_endpoint(), [](boost::system::error_code) {});
  }
  Client client{ClientOptions{}};
  const std::string url =
      "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/";
  const Reply reply =
      cancelled(client, post(url, "x"), [&] { return client.standing().attempts == 1; });
  BOOST_TEST(!reply.may_have_acted);
  Request request = post(url, "x");
  request.max_attempts = 1;
  ClientOptions impatient;
  impatient.connect_deadline = Milliseconds(100);
  const Reply late = Client(impatient).run(request);
  BOOST_TEST(late.failure == Failure::connect);
  BOOST_TEST(!late.may_have_acted);
}

BOOST_AUTO_TEST_CASE(while_the_server_computes) {
  ScriptedServer server([](const Got&) { return silence(); });
  Client client{ClientOptions{}};
  const Reply reply =
      cancelled(client, get(server.url()), [&] { return server.request_count() == 1; });
  BOOST_TEST(reply.may_have_acted);
  BOOST_TEST(reply.attempts == 1u);
  BOOST_TEST(client.standing().in_flight == 0u);
}

BOOST_AUTO_TEST_CASE(while_the_reply_comes) {
  ScriptedServer server([](const Got&) {
    Answer answer = text(std::string(100'000, 'x'));
    answer.between_bytes = Milliseconds(5);
    return answer;
  });
  Client client{ClientOptions{}};
  const Reply reply =
      cancelled(client, get(server.url()), [&] { return server.request_count() == 1; });
  BOOST_TEST(reply.body.empty());
}

BOOST_AUTO_TEST_CASE(what_is_over_already_stays_so) {
  ScriptedServer server([](const Got&) { return text("fine"); });
  Client client{ClientOptions{}};
  Replies replies;
  const auto ticket = client.start(get(server.url()), replies.taker());
  BOOST_REQUIRE(replies.wait_for(1));
  client.cancel(ticket);
  client.cancel(ticket + 1000);
  BOOST_TEST(client.run(get(server.url())).good());
  BOOST_TEST(replies.size() == 1u);
  BOOST_TEST(replies.all()[0].good());
}

BOOST_AUTO_TEST_CASE(a_run_asks_whether_to_stop) {
  ScriptedServer server([](const Got&) { return silence(); });
  Client client{ClientOptions{}};
  int asked = 0;
  const Reply reply = client.run(get(server.url()), [&] { return ++asked == 3; });
  BOOST_TEST(reply.failure == Failure::cancelled);
  BOOST_TEST(asked == 3);
  BOOST_CHECK_THROW(client.run(get(server.url()), []() -> bool { throw std::logic_error("x"); }),
                    std::logic_error);
}

BOOST_AUTO_TEST_CASE(an_end_with_a_thousand_in_flight) {
  ScriptedServer server([](const Got&) { return silence(); });
  Replies replies;
  {
    ClientOptions options;
    options.max_in_flight = 400;
    options.adaptive = false;
    Client client(options);
    for (int i = 0; i < 1000; ++i) client.start(get(server.url()), replies.taker());
    BOOST_REQUIRE(eventually([&] { return server.request_count() == 400; }));
  }
  const std::vector<Reply> all = replies.all();
  BOOST_TEST(all.size() == 1000u);
  for (const Reply& reply : all) BOOST_REQUIRE(reply.failure == Failure::cancelled);
  BOOST_TEST(std::count_if(all.begin(), all.end(),
                           [](const Reply& reply) { return reply.may_have_acted; }) == 400);
}

BOOST_AUTO_TEST_CASE(an_end_with_what_a_done_starts) {
  ScriptedServer server([](const Got&) { return silence(); });
  Replies replies;
  {
    Client client{ClientOptions{}};
    for (int i = 0; i < 10; ++i) {
      client.start(get(server.url()),
                   [&](Reply) { client.start(get(server.url()), replies.taker()); });
    }
  }
  BOOST_TEST(replies.size() == 10u);
  for (const Reply& reply : replies.all()) BOOST_TEST(reply.failure == Failure::cancelled);
}

BOOST_AUTO_TEST_SUITE_END()
