// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/http/error_body.h>

#include <boost/test/unit_test.hpp>

using namespace psw::http;

namespace {

void reads(std::string_view body, std::string_view message, std::string_view type = "",
           std::string_view code = "") {
  const ErrorBody error = parse_error_body(body);
  BOOST_TEST_CONTEXT(body) {
    BOOST_TEST(error.message == message);
    BOOST_TEST(error.type == type);
    BOOST_TEST(error.code == code);
  }
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(error_body)

BOOST_AUTO_TEST_CASE(every_form_is_understood) {
  reads(R"({"error":"model 'x' not found"})", "model 'x' not found");
  reads(R"({"error":{"message":"no","type":"invalid_request_error","code":"bad_key"}})", "no",
        "invalid_request_error", "bad_key");
  reads(R"({"error":{"message":"no","type":"BadRequestError","param":null,"code":400}})", "no",
        "BadRequestError", "400");
  reads(R"({"error":{"message":"no","code":null}})", "no");
  reads(R"({"code":5,"message":"no such job","details":[]})", "no such job", "", "5");
  reads(R"({"object":"error","type":"t","code":"c","message":"rate limit"})", "rate limit", "t",
        "c");
  reads(R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
        "Overloaded", "overloaded_error");
  reads(R"({"detail":"Not Found"})", "Not Found");
  reads(R"({"detail":[{"loc":["body","seed"],"msg":"not a number","type":"x"}]})",
        R"(["body","seed"]: not a number)");
  reads(R"("just text")", "just text");
  reads("<html>\n  <h1>502 Bad Gateway</h1>\n</html>", "<html> <h1>502 Bad Gateway</h1> </html>");
  reads("", "no reason was given");
  reads("  \n", "no reason was given");
  reads("[1,2]", "[1,2]");
  reads("null", "null");
  reads(R"({"error":{}})", R"({"error":{}})");
  reads(R"({"error":null,"message":"m"})", "m");
}

BOOST_AUTO_TEST_CASE(long_and_broken_texts_are_made_fit) {
  BOOST_TEST(parse_error_body(std::string(10'000, 'x')).message == std::string(500, 'x'));
  BOOST_TEST(parse_error_body("a\xFF\xC3(b\x01"
                              "c")
                 .message ==
             "a?"
             "?(b c");
  std::string umlauts;
  for (int i = 0; i < 600; ++i) umlauts += "\xC3\xA4";
  BOOST_TEST(parse_error_body(umlauts).message.size() == 1000u);
  BOOST_TEST(parse_error_body("{\"error\":\"" + std::string(900, 'y') + "\"}").message ==
             std::string(500, 'y'));
  BOOST_TEST(!parse_error_body(std::string(2 << 20, '[')).message.empty());
}

BOOST_AUTO_TEST_CASE(codes_fit_replies) {
  const auto code = [](int status) {
    Reply reply;
    reply.status = status;
    return to_error("GET http://h/", reply).code;
  };
  BOOST_TEST(code(400) == PSW_E_INVALID_ARGUMENT);
  BOOST_TEST(code(401) == PSW_E_AUTH);
  BOOST_TEST(code(403) == PSW_E_AUTH);
  BOOST_TEST(code(404) == PSW_E_NOT_FOUND);
  BOOST_TEST(code(413) == PSW_E_TOO_LARGE);
  BOOST_TEST(code(429) == PSW_E_RATE_LIMITED);
  BOOST_TEST(code(500) == PSW_E_UNAVAILABLE);
  BOOST_TEST(code(504) == PSW_E_TIMEOUT);
  BOOST_TEST(code(200) == PSW_E_DATA);
  const auto failed = [](Failure failure) {
    Reply reply;
    reply.failure = failure;
    reply.failure_text = "why";
    return to_error("GET http://h/", reply);
  };
  BOOST_TEST(failed(Failure::connect).code == PSW_E_UNAVAILABLE);
  BOOST_TEST(failed(Failure::connect).retryable);
  BOOST_TEST(contains(failed(Failure::connect).text, "GET http://h/: why"));
  BOOST_TEST(failed(Failure::timeout).code == PSW_E_TIMEOUT);
  BOOST_TEST(failed(Failure::too_large).code == PSW_E_TOO_LARGE);
  BOOST_TEST(failed(Failure::cancelled).code == PSW_E_CANCELLED);
  BOOST_TEST(failed(Failure::local).code == PSW_E_RESOURCE);
  BOOST_TEST(!failed(Failure::local).retryable);
}

BOOST_AUTO_TEST_CASE(one_sentence_for_people) {
  Reply reply;
  reply.status = 401;
  reply.body = R"({"error":{"message":"bad key"}})";
  reply.headers = {{"retry-after", "3"}};
  const psw::Error error = to_error("GET http://h/v1/models", reply);
  BOOST_TEST(error.text ==
             "GET http://h/v1/models: the server answered 401: bad key (check the API key and what "
             "it may do)");
  BOOST_TEST(error.provider_code == 401);
  BOOST_TEST(error.retry_after_ms == 3000);
  BOOST_TEST(!error.retryable);
}

BOOST_AUTO_TEST_SUITE_END()
