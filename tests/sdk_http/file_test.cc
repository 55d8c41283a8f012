// SPDX-License-Identifier: Apache-2.0
//
// Bodies from files and replies to files.
#include <promptsweep/http/client.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "sdk_http/client_fixture.h"
#include "temporary_folder.h"

using namespace http_test;

namespace {

std::string bytes_of(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = char(i * 31 + i / 251);
  return out;
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::size_t files_in(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator all(folder);
  return std::size_t(std::distance(begin(all), end(all)));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(an_upload_is_rewound_before_it_is_sent_again) {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of(3'000'000);
  write_file(folder / "rows.jsonl", bytes);
  for (const char* method : {"PUT", "POST"}) {
    ScriptedServer server([](const Got& got) {
      Answer answer = text("", got.number == 1 ? 500 : 200);
      if (got.number == 2) answer.bytes = 0;
      if (got.number == 2) answer.end = Answer::reset;
      return answer;
    });
    Client client{ClientOptions{}};
    Request request = get(server.url("/signed?signature=abc"));
    request.method = method;
    request.body_file = folder / "rows.jsonl";
    retry_at_once(request);
    BOOST_TEST(client.run(request).good());
    BOOST_TEST(server.request_count() >= 3);
    for (const Got& got : server.requests()) {
      BOOST_TEST(got.method == method);
      BOOST_TEST((got.body == bytes));
      BOOST_TEST(*got.header("content-length") == "3000000");
      BOOST_TEST(!got.header("content-type"));
      BOOST_TEST(!got.header("expect"));
      BOOST_TEST(!got.header("authorization"));
    }
  }
}

// libcurl itself sends again when the connection it had kept is closed under the request.
BOOST_AUTO_TEST_CASE(an_upload_is_rewound_when_a_kept_connection_was_closed) {
  const TemporaryFolder folder;
  write_file(folder / "rows.jsonl", bytes_of(1000));
  ScriptedServer server([](const Got& got) {
    Answer answer = text("");
    if (got.number == 2) answer.bytes = 0;
    if (got.number == 2) answer.end = Answer::close;
    return answer;
  });
  Client client{ClientOptions{}};
  BOOST_TEST(client.run(get(server.url())).good());
  Request request = get(server.url());
  request.method = "PUT";
  request.body_file = folder / "rows.jsonl";
  retry_at_once(request);
  const Reply reply = client.run(request);
  BOOST_TEST(reply.good());
  BOOST_TEST(reply.attempts == 2u);
  BOOST_TEST((server.requests().back().body == bytes_of(1000)));
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_sent) {
  const TemporaryFolder folder;
  write_file(folder / "empty", "");
  ScriptedServer server([](const Got&) { return text(""); });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.method = "PUT";
  request.body_file = folder / "empty";
  BOOST_TEST(client.run(request).good());
  BOOST_TEST(*server.requests().at(0).header("content-length") == "0");
  // The handle that sent a file serves a plain request next.
  BOOST_TEST(client.run(post(server.url(), "plain")).good());
  BOOST_TEST(server.requests().at(1).body == "plain");
  BOOST_TEST(server.requests().at(1).method == "POST");
}

BOOST_AUTO_TEST_CASE(a_form_is_sent_whole_every_time) {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of(200'000);
  write_file(folder / "rows.jsonl", bytes);
  ScriptedServer server([](const Got& got) { return text("", got.number < 3 ? 502 : 200); });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.method = "POST";
  request.parts = {{"purpose", "", "", "batch", {}},
                   {"file", "name.jsonl", "application/jsonl", "", folder / "rows.jsonl"}};
  retry_at_once(request);
  BOOST_TEST(client.run(request).good());
  BOOST_TEST(server.request_count() == 3);
  for (const Got& got : server.requests()) {
    BOOST_TEST(got.header("content-type")->find("multipart/form-data; boundary=") == 0u);
    BOOST_TEST((got.body.find(bytes) != std::string::npos));
    BOOST_TEST((got.body.find("name=\"purpose\"\r\n\r\nbatch\r\n") != std::string::npos));
    BOOST_TEST((got.body.find("name=\"file\"; filename=\"name.jsonl\"\r\n"
                              "Content-Type: application/jsonl\r\n") != std::string::npos));
  }
}

BOOST_AUTO_TEST_CASE(a_reply_is_saved_when_it_is_whole) {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of(2'000'000);
  ScriptedServer server([&](const Got& got) {
    Answer answer = text(bytes);
    if (got.number == 1) answer.bytes = 1'000'000;
    if (got.number == 1) answer.end = Answer::close;
    return answer;
  });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.save_to = folder / "results.jsonl";
  request.max_reply_bytes = 1000;  // of a reply in memory
  retry_at_once(request);
  const Reply reply = client.run(request);
  BOOST_TEST(reply.good());
  BOOST_TEST(reply.attempts == 2u);
  BOOST_TEST(reply.body.empty());
  BOOST_TEST((read_file(folder / "results.jsonl") == bytes));
  BOOST_TEST(files_in(folder.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(an_empty_reply_is_saved) {
  const TemporaryFolder folder;
  ScriptedServer server([&](const Got&) { return text(""); });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.save_to = folder / "results.jsonl";
  BOOST_TEST(client.run(request).good());
  BOOST_TEST(std::filesystem::exists(folder / "results.jsonl"));
  BOOST_TEST(files_in(folder.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_not_saved) {
  const TemporaryFolder folder;
  write_file(folder / "results.jsonl", "from before");
  ScriptedServer server([&](const Got&) { return text("expired", 403); });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.save_to = folder / "results.jsonl";
  const Reply reply = client.run(request);
  BOOST_TEST(reply.status == 403);
  BOOST_TEST(reply.body == "expired");
  BOOST_TEST(read_file(folder / "results.jsonl") == "from before");
  BOOST_TEST(files_in(folder.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(a_cut_reply_leaves_nothing) {
  const TemporaryFolder folder;
  ScriptedServer server([&](const Got&) {
    Answer answer = text(bytes_of(100'000));
    answer.bytes = 50'000;
    answer.end = Answer::close;
    return answer;
  });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.save_to = folder / "results.jsonl";
  request.max_attempts = 1;
  BOOST_TEST(client.run(request).failure == Failure::cut);
  BOOST_TEST(files_in(folder.path()) == 0u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_download_leaves_nothing) {
  const TemporaryFolder folder;
  ScriptedServer server([&](const Got&) {
    Answer answer = text(bytes_of(100'000));
    answer.between_bytes = Milliseconds(1);
    return answer;
  });
  {
    Client client{ClientOptions{}};
    Request request = get(server.url());
    request.save_to = folder / "results.jsonl";
    Replies replies;
    const auto ticket = client.start(request, replies.taker());
    BOOST_REQUIRE(eventually([&] { return files_in(folder.path()) == 1; }));
    client.cancel(ticket);
    BOOST_REQUIRE(replies.wait_for(1));
    BOOST_TEST(replies.all()[0].failure == Failure::cancelled);
  }
  BOOST_TEST(files_in(folder.path()) == 0u);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there) {
  const TemporaryFolder folder;
  ScriptedServer server([&](const Got&) { return text("x"); });
  Client client{ClientOptions{}};
  Request request = get(server.url());
  request.save_to = folder / "no/such/folder/results.jsonl";
  const Reply reply = client.run(request);
  BOOST_TEST(reply.failure == Failure::local);
  BOOST_TEST((reply.failure_text.find("cannot write") != std::string::npos));
}

BOOST_AUTO_TEST_SUITE_END()
