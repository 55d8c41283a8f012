// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE openai_chat
#include <promptsweep/http/openai_chat.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

using namespace psw::http;
using nlohmann::json;

namespace {

psw::Request line_of(const std::string& members = R"("temperature":0)") {
  psw::Request line;
  line.request_id = "a";
  line.line = R"({"request_id":"a","model":"m","messages":[{"role":"user","content":"u"}],)"
              R"("max_tokens":5,)" +
              members + "}";
  return line;
}

json body_of(const ChatDialect& dialect, const std::string& members, std::string_view extra = "{}",
             std::optional<int> logprobs = std::nullopt) {
  const ChatWriter writer(dialect, "m", extra, logprobs);
  return json::parse(writer.body(psw::lines::parse_query(line_of(members).line)));
}

psw_status refusal(const ChatDialect& dialect, const std::string& members) {
  try {
    body_of(dialect, members);
  } catch (const psw::Error& error) {
    return error.code;
  }
  return PSW_OK;
}

Reply reply_of(int status, std::string body) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.attempts = 1;
  return reply;
}

std::string good(const std::string& choice, const std::string& more = "") {
  return R"({"id":"c1","object":"chat.completion","model":"snap","choices":[)" + choice + "]" +
         more + "}";
}

struct Row {
  std::int32_t outcome = 0;
  psw_status code = PSW_OK;
  json body;
};
Row read(const Reply& reply, const ChatDialect& dialect = generic_dialect(),
         const psw::Request& line = line_of()) {
  const Record record = read_chat("POST x", line, reply, dialect);
  return {record.outcome, record.code, json::parse(record.body_json)};
}
Row read(const std::string& body) { return read(reply_of(200, body)); }

// The code of the error that ends the job; PSW_OK: it goes on.
psw_status ending(const Reply& reply) {
  try {
    read_chat("POST x", line_of(), reply, generic_dialect());
  } catch (const JobEnds& error) {
    return error.code;
  }
  return PSW_OK;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_dialect_says_what_it_can) {
  const std::string sampled = R"("temperature":0.5,"top_p":0.9,"seed":7,"stop":["x"])";
  const json openai = body_of(openai_dialect(), sampled);
  BOOST_TEST(openai == json({{"model", "m"},
                             {"messages", {{{"role", "user"}, {"content", "u"}}}},
                             {"max_completion_tokens", 5},
                             {"temperature", 0.5},
                             {"top_p", 0.9},
                             {"seed", 7},
                             {"stop", {"x"}},
                             {"stream", false}}));
  const json llama = body_of(llama_server_dialect(false), R"("temperature":0.5,"top_k":3)");
  for (const char* neutral : {"min_p", "presence_penalty", "frequency_penalty", "mirostat",
                              "xtc_probability", "dry_multiplier"}) {
    BOOST_TEST(llama.at(neutral) == 0, neutral);
  }
  BOOST_TEST(llama.at("repeat_penalty") == 1);
  BOOST_TEST(llama.at("cache_prompt") == false);
  BOOST_TEST(llama.at("top_k") == 3);
  BOOST_TEST(llama.at("top_p") == 1.0);
  BOOST_TEST(llama.at("max_tokens") == 5);
  BOOST_TEST(!llama.contains("max_completion_tokens"));
  BOOST_TEST(body_of(llama_server_dialect(true), sampled).at("cache_prompt") == true);
  BOOST_TEST(body_of(llama_server_dialect(false), sampled).at("top_k") == 0);
  BOOST_TEST(body_of(vllm_dialect(), sampled).at("top_k") == -1);
  BOOST_TEST(body_of(fireworks_dialect(), sampled).at("context_length_exceeded_behavior") ==
             "error");
}

BOOST_AUTO_TEST_CASE(a_seed_is_not_sent_at_temperature_0) {
  BOOST_TEST(!body_of(generic_dialect(), R"("temperature":0,"seed":7)").contains("seed"));
  BOOST_TEST(body_of(generic_dialect(), R"("temperature":0.1,"seed":7)").at("seed") == 7);
}

BOOST_AUTO_TEST_CASE(what_a_dialect_cannot_honour_is_refused) {
  BOOST_TEST(refusal(openai_dialect(), R"("top_k":3)") == PSW_E_UNSUPPORTED);
  BOOST_TEST(refusal(generic_dialect(), R"("top_k":3)") == PSW_E_UNSUPPORTED);
  BOOST_TEST(refusal(generic_dialect(), R"("top_k":0)") == PSW_OK);
  BOOST_TEST(refusal(fireworks_dialect(), R"("top_k":101)") == PSW_E_UNSUPPORTED);
  BOOST_TEST(refusal(openai_dialect(), R"("stop":["1","2","3","4","5"])") == PSW_E_UNSUPPORTED);
  const ChatWriter writer(openai_dialect(), "m");
  psw::lines::Query raw;
  raw.prompt = "text";
  BOOST_CHECK_THROW(writer.body(raw), psw::Error);
  const json completion = json::parse(ChatWriter(generic_dialect(), "m", "{}", 2).body(raw));
  BOOST_TEST(completion.at("prompt") == "text");
  BOOST_TEST(completion.at("logprobs") == 2);
}

BOOST_AUTO_TEST_CASE(extra_members_and_logprobs_go_with_every_request) {
  const json body = body_of(vllm_dialect(), R"("temperature":0)",
                            R"({"min_p":0.1,"chat_template_kwargs":{"thinking":false}})", 3);
  BOOST_TEST(body.at("min_p") == 0.1);
  BOOST_TEST(body.at("chat_template_kwargs").at("thinking") == false);
  BOOST_TEST(body.at("logprobs") == true);
  BOOST_TEST(body.at("top_logprobs") == 3);
}

BOOST_AUTO_TEST_CASE(answers_of_all_forms) {
  struct Case {
    const char* choice;
    std::int32_t outcome;
    const char* text;
    const char* finish;
  };
  const Case cases[] = {
      {R"({"message":{"content":"a"},"finish_reason":"stop"})", PSW_OUTCOME_OK, "a", "stop"},
      {R"({"message":{"content":"a"},"finish_reason":"length"})", PSW_OUTCOME_TRUNCATED, "a",
       "length"},
      {R"({"message":{"content":null},"finish_reason":"content_filter"})", PSW_OUTCOME_FILTERED, "",
       "content_filter"},
      {R"({"message":{"content":null},"finish_reason":"stop"})", PSW_OUTCOME_OK, "", "stop"},
      {R"({"message":{},"finish_reason":"stop"})", PSW_OUTCOME_OK, "", "stop"},
      {R"({"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
       R"("finish_reason":"stop"})",
       PSW_OUTCOME_OK, "ab", "stop"},
      {R"({"message":{"content":null,"refusal":"I will not"},"finish_reason":"stop"})",
       PSW_OUTCOME_OK, "I will not", "stop"},
      {R"({"message":{"content":"a"},"finish_reason":"eos_token"})", PSW_OUTCOME_OK, "a", "stop"},
      {R"({"message":{"content":"a"},"finish_reason":"tool_calls"})", PSW_OUTCOME_OK, "a", "stop"},
      {R"({"text":"raw","finish_reason":"stop"})", PSW_OUTCOME_OK, "raw", "stop"},
  };
  for (const Case& c : cases) {
    const Row row = read(good(c.choice));
    BOOST_TEST(row.outcome == c.outcome, c.choice);
    BOOST_TEST(row.body.at("text") == c.text, c.choice);
    BOOST_TEST(row.body.at("finish_reason") == c.finish, c.choice);
    BOOST_TEST(row.body.at("model") == "snap");
    BOOST_TEST(row.body.at("remote_id") == "c1");
    BOOST_TEST(row.body.at("prompt_tokens").is_null());
  }
}

BOOST_AUTO_TEST_CASE(usage_is_read_in_all_forms_and_else_unknown) {
  const std::string choice = R"({"message":{"content":"a"},"finish_reason":"stop"})";
  const auto with = [&](const std::string& usage) {
    return read(reply_of(200, good(choice, usage)), vllm_dialect()).body;
  };
  for (const char* usage : {R"(,"usage":{"prompt_tokens":12,"completion_tokens":3})",
                            R"(,"usage":{"prompt_tokens":"12","completion_tokens":"3"})"}) {
    BOOST_TEST(with(usage).at("prompt_tokens") == 12);
    BOOST_TEST(with(usage).at("prompt_tokens_evaluated") == 12);
    BOOST_TEST(with(usage).at("completion_tokens") == 3);
  }
  for (const char* usage : {"", R"(,"usage":null)", R"(,"usage":{})", R"(,"usage":[])",
                            R"(,"usage":{"prompt_tokens":null,"completion_tokens":-1})",
                            R"(,"usage":{"prompt_tokens":"many","completion_tokens":true})"}) {
    BOOST_TEST(with(usage).at("prompt_tokens").is_null(), usage);
    BOOST_TEST(with(usage).at("completion_tokens").is_null(), usage);
  }
  // A server that may cut prompts does not say how much of them it read.
  const Row cut = read(good(choice, R"(,"usage":{"prompt_tokens":12})"));
  BOOST_TEST(cut.body.at("prompt_tokens_evaluated").is_null());
}

BOOST_AUTO_TEST_CASE(what_services_add_is_recorded) {
  const Row row = read(reply_of(
      200, good(R"({"message":{"content":"a","reasoning_content":"hm"},"finish_reason":"stop",)"
                R"("logprobs":{"content":[{"token":"a","logprob":-0.5}]}})",
                R"(,"system_fingerprint":"fp","timings":{"prompt_ms":1.5,"predicted_ms":2})")));
  BOOST_TEST(row.body.at("reasoning") == "hm");
  BOOST_TEST(row.body.at("system_fingerprint") == "fp");
  BOOST_TEST(row.body.at("logprobs").at("content").at(0).at("logprob") == -0.5);
  BOOST_TEST(row.body.at("timings").at("prefill_ms") == 1.5);
  BOOST_TEST(row.body.at("timings").at("decode_ms") == 2);
}

BOOST_AUTO_TEST_CASE(a_seed_that_was_sent_is_answered_for) {
  const std::string body = good(R"({"message":{"content":"a"},"finish_reason":"stop"})");
  const auto honoured = [&](const ChatDialect& dialect, const std::string& members) {
    return read(reply_of(200, body), dialect, line_of(members)).body.at("seed_honoured");
  };
  BOOST_TEST(honoured(vllm_dialect(), R"("temperature":0.5,"seed":1)") == true);
  BOOST_TEST(honoured(vllm_dialect(), R"("temperature":0,"seed":1)").is_null());
  BOOST_TEST(honoured(openai_dialect(), R"("temperature":0.5,"seed":1)").is_null());
}

BOOST_AUTO_TEST_CASE(broken_text_does_not_lose_an_answer) {
  const auto text = [](const std::string& content) {
    const Row row =
        read(good(R"({"message":{"content":")" + content + R"("},"finish_reason":"stop"})"));
    BOOST_TEST(row.outcome == PSW_OUTCOME_OK);
    return row.body.at("text").get<std::string>();
  };
  BOOST_TEST(text("a\xFF") == "a\xEF\xBF\xBD");
  BOOST_TEST(text("a\\ud800") == "a\xEF\xBF\xBD");
  BOOST_TEST(text("a\\u0000b") == std::string("a\0b", 3));
  BOOST_TEST(text(std::string(10'000'000, 'x')).size() == 10'000'000u);
}

BOOST_AUTO_TEST_CASE(replies_that_are_no_answer_are_tried_again_and_then_transient) {
  const std::string whole = good(R"({"message":{"content":"a"},"finish_reason":"stop"})");
  for (const std::string& body :
       {std::string(), whole.substr(0, whole.size() / 2), std::string("<html>"), std::string("[]"),
        std::string("{}"), good(""), good("1"), good(R"({"message":{"content":"a"}})"),
        good(R"({"message":{"content":"a"},"finish_reason":null})"),
        good(R"({"message":{"content":"a"},"finish_reason":"abort"})"),
        good(R"({"finish_reason":"stop"})")}) {
    const Row row = read(body);
    BOOST_TEST(row.outcome == PSW_OUTCOME_ERROR_BACKEND, body);
    BOOST_TEST(row.code == PSW_E_DATA, body);
  }
  BOOST_TEST(judge_chat(reply_of(200, whole)).kind == Verdict::done);
  BOOST_TEST(judge_chat(reply_of(200, whole + " \n")).kind == Verdict::done);
  BOOST_TEST(judge_chat(reply_of(200, "")).kind == Verdict::again);
  BOOST_TEST(judge_chat(reply_of(200, whole.substr(0, 40))).kind == Verdict::again);
}

BOOST_AUTO_TEST_CASE(an_error_inside_a_200_counts_as_its_status) {
  const Reply overloaded = reply_of(200, R"({"error":{"message":"x","code":503}})");
  BOOST_TEST(read(overloaded).outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(judge_chat(overloaded).kind == Verdict::again);
  BOOST_TEST(judge_chat(overloaded).congested);
  const Reply refused =
      reply_of(200, R"({"error":{"message":"x","type":"invalid_request_error","code":null}})");
  BOOST_TEST(read(refused).outcome == PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST(judge_chat(refused).kind == Verdict::done);
  const Reply flat = reply_of(200, R"({"object":"error","message":"x","code":"429"})");
  BOOST_TEST(read(flat).outcome == PSW_OUTCOME_ERROR_BACKEND);
  const Reply key = reply_of(200, R"({"error":{"message":"x","code":"invalid_api_key"}})");
  BOOST_TEST(ending(key) == PSW_E_AUTH);
  // An answer that speaks of errors is an answer.
  const Reply fine =
      reply_of(200, good(R"({"message":{"content":"{\"error\": 1}"},"finish_reason":"stop"})",
                         R"(,"error":null)"));
  BOOST_TEST(read(fine).outcome == PSW_OUTCOME_OK);
  BOOST_TEST(judge_chat(fine).kind == Verdict::done);
}

BOOST_AUTO_TEST_CASE(statuses_have_outcomes) {
  struct Case {
    int status;
    const char* body;
    std::int32_t outcome;
  };
  const Case cases[] = {
      {400, R"({"error":{"message":"bad value"}})", PSW_OUTCOME_ERROR_REQUEST},
      {413, "<html>too large</html>", PSW_OUTCOME_ERROR_REQUEST},
      {422, R"({"detail":[{"loc":["body"],"msg":"no"}]})", PSW_OUTCOME_ERROR_REQUEST},
      {400, R"({"error":{"message":"x","code":"context_length_exceeded"}})",
       PSW_OUTCOME_PROMPT_TRUNCATED},
      {400,
       R"({"error":{"code":400,"message":"request (9 tokens) exceeds the available context size (4 tokens), try increasing it","type":"exceed_context_size_error"}})",
       PSW_OUTCOME_PROMPT_TRUNCATED},
      {400,
       R"({"object":"error","message":"This model's maximum context length is 4 tokens.","code":400})",
       PSW_OUTCOME_PROMPT_TRUNCATED},
      {408, "", PSW_OUTCOME_ERROR_TIMEOUT},
      {504, "", PSW_OUTCOME_ERROR_TIMEOUT},
      {409, "", PSW_OUTCOME_ERROR_BACKEND},
      {429, R"({"error":{"message":"slow down","code":"rate_limit_exceeded"}})",
       PSW_OUTCOME_ERROR_BACKEND},
      {500, R"("plain text")", PSW_OUTCOME_ERROR_BACKEND},
      {502, "<html>Bad Gateway</html>", PSW_OUTCOME_ERROR_BACKEND},
      {503, "", PSW_OUTCOME_ERROR_BACKEND},
      {529, "", PSW_OUTCOME_ERROR_BACKEND},
      {403, R"({"error":{"message":"your input was flagged"}})", PSW_OUTCOME_ERROR_REQUEST},
  };
  for (const Case& c : cases) {
    const Row row = read(reply_of(c.status, c.body));
    BOOST_TEST(row.outcome == c.outcome, c.status << " " << c.body);
    BOOST_TEST(!row.body.at("error").get<std::string>().empty());
  }
}

// A key that is revoked in mid-run must not turn thousands of rows into final refusals.
BOOST_AUTO_TEST_CASE(what_is_not_about_the_row_ends_the_job) {
  for (const int status : {401, 402, 403, 404, 405, 407, 501, 301, 302})
    BOOST_TEST(ending(reply_of(status, R"({"error":"no"})")) != PSW_OK, status);
  const Reply quota = reply_of(429, R"({"error":{"message":"x","code":"insufficient_quota"}})");
  BOOST_TEST(ending(quota) == PSW_E_RATE_LIMITED);
  BOOST_TEST(judge_chat(quota).kind == Verdict::done);
}

BOOST_AUTO_TEST_CASE(replies_that_never_came) {
  const auto failed = [](Failure failure) {
    Reply reply;
    reply.failure = failure;
    reply.failure_text = "it did not work";
    return read(reply);
  };
  BOOST_TEST(failed(Failure::timeout).outcome == PSW_OUTCOME_ERROR_TIMEOUT);
  BOOST_TEST(failed(Failure::reset).outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(failed(Failure::connect).outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(failed(Failure::cut).outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(failed(Failure::cancelled).outcome == PSW_OUTCOME_CANCELLED);
}

BOOST_AUTO_TEST_CASE(a_batchs_row_is_read_alike) {
  const Record record = read_completion(
      "row a", line_of(), good(R"({"message":{"content":"a"},"finish_reason":"length"})"),
      fireworks_dialect());
  BOOST_TEST(record.outcome == PSW_OUTCOME_TRUNCATED);
  BOOST_TEST(json::parse(record.body_json).at("timings").is_null());
}
