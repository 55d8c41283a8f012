// SPDX-License-Identifier: Apache-2.0
//
// Secrets go to the server and nowhere else; certificates are verified.
#include <promptsweep/http/client.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <promptsweep/backend.hpp>

#include "sdk_http/client_fixture.h"
#include "temporary_folder.h"

using namespace http_test;

namespace {

const std::string the_secret = "sk-very-secret-0123456789";

bool shows_secret(const std::string& text) { return text.find(the_secret) != std::string::npos; }

bool shows_secret(const Reply& reply) {
  for (const auto& header : reply.headers) {
    if (shows_secret(header.value)) return true;
  }
  return shows_secret(reply.body) || shows_secret(reply.failure_text);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets)

BOOST_AUTO_TEST_CASE(a_secret_is_asked_for_every_attempt_and_shown_nowhere) {
  ScriptedServer server([](const Got& got) {
    const std::string* authorization = got.header("authorization");
    const std::string echo = authorization ? *authorization : "none";
    Answer answer = text("wrong key: " + echo + "; " + echo, got.number == 1 ? 500 : 401);
    answer.headers = {{"X-Echo", echo}, {"retry-after-ms", "1"}};
    return answer;
  });
  std::atomic<int> asked{0};
  std::mutex mutex;
  std::string logged;
  ClientOptions options;
  options.secret = [&](std::string_view name) {
    ++asked;
    BOOST_CHECK(name == "API_KEY");
    return the_secret;
  };
  options.log = [&](std::int32_t, std::string_view message) {
    const std::lock_guard<std::mutex> lock(mutex);
    logged += message;
  };
  {
    Client client(options);
    Request request = post(server.url("/v1?key=" + the_secret), "x");
    request.secret = "API_KEY";
    const Reply reply = client.run(request);
    BOOST_TEST(reply.status == 401);
    BOOST_TEST(reply.attempts == 2u);
    BOOST_TEST(!shows_secret(reply));
    BOOST_TEST(reply.body == "wrong key: Bearer [secret]; Bearer [secret]");
    BOOST_TEST(asked == 2);
    // The handle's next request has none.
    BOOST_TEST(*client.run(get(server.url())).header("x-echo") == "none");
  }
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(*server.requests().at(std::size_t(i)).header("authorization") ==
               "Bearer " + the_secret);
  }
  BOOST_TEST(!logged.empty());
  BOOST_TEST(!shows_secret(logged));
}

BOOST_AUTO_TEST_CASE(a_secret_that_is_not_there_sends_nothing) {
  ScriptedServer server([](const Got&) { return text(""); });
  ClientOptions options;
  options.secret = [](std::string_view) -> std::string {
    throw psw::Error(PSW_E_NOT_FOUND, "nearly " + the_secret);
  };
  Client client(options);
  Request request = get(server.url());
  request.secret = "API_KEY";
  const Reply reply = client.run(request);
  BOOST_TEST(reply.failure == Failure::local);
  BOOST_TEST((reply.failure_text.find("API_KEY") != std::string::npos));
  BOOST_TEST(!shows_secret(reply));
  BOOST_TEST(server.request_count() == 0);
}

BOOST_AUTO_TEST_CASE(a_secret_in_an_error_of_the_library_is_hidden) {
  ClientOptions options;
  options.secret = [](std::string_view) { return std::string("no-such-host"); };
  Client client(options);
  Request request = get("http://no-such-host.invalid/");
  request.secret = "API_KEY";
  request.max_attempts = 1;
  const Reply reply = client.run(request);
  BOOST_TEST(reply.failure == Failure::resolve);
  BOOST_TEST((reply.failure_text.find("[secret].invalid") != std::string::npos));
  BOOST_TEST((reply.failure_text.find("no-such-host") == std::string::npos));
}

BOOST_AUTO_TEST_CASE(a_certificate_counts_only_with_its_bundle) {
  const auto [certificate, key] = self_signed_certificate();
  ScriptedServer server([](const Got& got) { return text("by TLS: " + got.body); }, certificate,
                        key);
  {
    Client client{ClientOptions{}};
    Request request = post(server.url(), "x");
    request.max_attempts = 1;
    const Reply reply = client.run(request);
    BOOST_TEST(reply.failure == Failure::tls);
    BOOST_TEST(!reply.may_have_acted);
    BOOST_TEST(!reply.failure_text.empty());
  }
  const TemporaryFolder folder;
  std::ofstream(folder / "ca.pem") << certificate;
  ClientOptions options;
  options.ca_bundle = folder / "ca.pem";
  Client client(options);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Reply reply = client.run(post(server.url("/", host), "x"));
    BOOST_TEST(reply.body == "by TLS: x");
  }
  BOOST_TEST(client.run(post(server.url(), "again")).body == "by TLS: again");
  BOOST_TEST(server.connections() == 3);
  // A name that the certificate does not have.
  Request request = get(server.url("/", "127.0.0.2"));
  request.max_attempts = 1;
  BOOST_TEST(!client.run(request).arrived());
  BOOST_TEST(server.request_count() == 3);
}

BOOST_AUTO_TEST_CASE(a_plain_server_is_no_tls_server) {
  ScriptedServer server([](const Got&) { return text(""); });
  Client client{ClientOptions{}};
  Request request = get("https://127.0.0.1:" + std::to_string(server.port()) + "/");
  request.max_attempts = 1;
  request.deadline = Milliseconds(500);
  const Reply reply = client.run(request);
  BOOST_TEST(!reply.arrived());
  BOOST_TEST(!reply.may_have_acted);
}

BOOST_AUTO_TEST_SUITE_END()
