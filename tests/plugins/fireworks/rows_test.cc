// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include <promptsweep/http/openai_chat.h>
#include <promptsweep/lines.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace fireworks;
using nlohmann::json;

namespace {

psw::Request line(const json& members) {
  json row{{"request_id", "r1"}, {"model", "m"}, {"max_tokens", 5}};
  row.update(members);
  psw::Request out;
  out.request_id = "r1";
  out.line = row.dump();
  return out;
}

json chat(const json& more = json::object()) {
  json out{{"messages", {{{"role", "user"}, {"content", "hello"}}}}};
  out.update(more);
  return out;
}

psw_status refusal(const json& members) {
  try {
    batch_row(line(members));
  } catch (const psw::Error& error) {
    return error.code;
  }
  return PSW_OK;
}

RowFailure failure(const json& error) {
  const auto row = parse_result_row(json{{"custom_id", "r"}, {"error", error}}.dump());
  BOOST_REQUIRE(row.has_value());
  return failure_of(*row);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_says_every_setting_once_and_nothing_else) {
  const json row = json::parse(batch_row(line(chat(
      {{"temperature", 0.7}, {"top_p", 0.9}, {"top_k", 40}, {"stop", {"\n"}}, {"seed", 12}}))));
  BOOST_TEST(row.size() == 2u);
  BOOST_TEST(row.at("custom_id") == "r1");
  const json expected{{"messages", {{{"role", "user"}, {"content", "hello"}}}},
                      {"max_tokens", 5},
                      {"temperature", 0.7},
                      {"top_p", 0.9},
                      {"top_k", 40},
                      {"stop", {"\n"}},
                      {"seed", 12},
                      {"min_p", 0},
                      {"typical_p", 1},
                      {"repetition_penalty", 1},
                      {"presence_penalty", 0},
                      {"frequency_penalty", 0},
                      {"context_length_exceeded_behavior", "error"}};
  BOOST_TEST(row.at("body") == expected);
  // What a line leaves out is sent as neutral: a model's own defaults would differ.
  const json bare = json::parse(batch_row(line(chat({{"seed", 12}})))).at("body");
  BOOST_TEST(bare.at("temperature") == 0);
  BOOST_TEST(bare.at("top_p") == 1.0);
  BOOST_TEST(bare.at("top_k") == 0);
  BOOST_TEST(!bare.contains("seed"));  // there is nothing to draw
  BOOST_TEST(!bare.contains("stop"));
  BOOST_TEST(!bare.contains("model"));
}

BOOST_AUTO_TEST_CASE(batch_and_realtime_ask_with_the_same_settings) {
  for (const json& more : {json::object(), json{{"temperature", 0.5}, {"top_p", 0.9}, {"seed", 7}},
                           json{{"top_k", 3}, {"stop", {"x"}}}}) {
    const psw::Request asked = line(chat(more));
    const psw::http::ChatWriter realtime(psw::http::fireworks_dialect(), "m");
    json one = json::parse(realtime.body(psw::lines::parse_query(asked.line)));
    one.erase("model");   // the job's
    one.erase("stream");  // of the connection
    BOOST_TEST(json::parse(batch_row(asked)).at("body") == one);
  }
}

// D23 and the rule of the provider: one bad row fails the whole job.
BOOST_AUTO_TEST_CASE(rows_that_would_be_refused_are_not_sent) {
  BOOST_TEST(refusal(chat()) == PSW_OK);
  BOOST_TEST(refusal({{"prompt", "raw"}}) == PSW_E_UNSUPPORTED);
  BOOST_TEST(refusal(chat({{"top_k", 101}})) == PSW_E_UNSUPPORTED);
  BOOST_TEST(refusal(chat({{"top_k", 100}})) == PSW_OK);
  BOOST_TEST(refusal(chat({{"stop", {"a", "b", "c", "d", "e"}}})) == PSW_E_UNSUPPORTED);
  BOOST_TEST(refusal(chat({{"max_tokens", 0}})) == PSW_E_INVALID_ARGUMENT);
  BOOST_TEST(refusal({{"messages", {{{"role", "narrator"}, {"content", "x"}}}}}) ==
             PSW_E_INVALID_ARGUMENT);
  BOOST_TEST(model_of(line(chat()).line) == "m");
  BOOST_TEST(model_of("{").empty());
}

BOOST_AUTO_TEST_CASE(completions_are_found_in_both_places) {
  const json completion{{"id", "chatcmpl-1"}, {"choices", json::array({json::object()})}};
  for (const json& response : {completion, json{{"status_code", 200}, {"body", completion}}}) {
    const auto row = parse_result_row(json{{"custom_id", "r"}, {"response", response}}.dump());
    BOOST_REQUIRE(row.has_value());
    BOOST_TEST(row->custom_id == "r");
    BOOST_TEST(json::parse(row->completion) == completion);
  }
  const auto both = parse_result_row(
      json{{"custom_id", "r"}, {"response", completion}, {"error", nullptr}}.dump());
  BOOST_TEST(!both->completion.empty());
  const auto number = parse_result_row(json{{"custom_id", 17}, {"response", completion}}.dump());
  BOOST_TEST(number->custom_id == "17");
}

BOOST_AUTO_TEST_CASE(failed_rows_are_read_in_every_form) {
  const json said{{"code", 400}, {"message", "bad role"}};
  for (const json& row :
       {json{{"custom_id", "r"}, {"error", said}},
        json{{"custom_id", "r"}, {"response", {{"error", said}}}},
        json{{"custom_id", "r"}, {"response", {{"status_code", 400}, {"body", {{"error", said}}}}}},
        json{{"custom_id", "r"}, {"response", nullptr}, {"error", said}}}) {
    const auto read = parse_result_row(row.dump());
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->completion.empty());
    BOOST_TEST(read->error_code == "400");
    BOOST_TEST(read->error_message == "bad role");
  }
  const auto text = parse_result_row(R"({"custom_id":"r","error":"no room"})");
  BOOST_TEST(text->error_message == "no room");
  const auto empty = parse_result_row(R"({"custom_id":"r","error":{}})");
  BOOST_TEST(empty->error_message == "{}");
}

BOOST_AUTO_TEST_CASE(what_is_no_whole_row_is_none) {
  for (const char* text :
       {"", "{", "[]", "7", R"({"custom_id":"r"})", R"({"response":{"choices":[]}})",
        R"({"custom_id":"","error":"x"})", R"({"custom_id":"r","response":{"choi)"}) {
    BOOST_TEST(!parse_result_row(text).has_value(), text);
  }
  // Bytes that are no UTF-8 and lone surrogates are the model's, and are repaired.
  BOOST_TEST(parse_result_row("{\"custom_id\":\"r\",\"error\":\"\xff\xfe\"}").has_value());
  BOOST_TEST(parse_result_row(R"({"custom_id":"r","error":"\ud800"})").has_value());
}

// Only what would be refused again is final; the core offers the rest again.
BOOST_AUTO_TEST_CASE(failures_that_may_pass_are_told_from_refusals) {
  const auto is = [](const RowFailure& failure, std::int32_t outcome) {
    return failure.outcome == outcome;
  };
  for (const json& code : {json(400), json("400"), json(3), json("INVALID_ARGUMENT"), json(422)}) {
    BOOST_TEST(is(failure({{"code", code}, {"message", "bad role"}}), PSW_OUTCOME_ERROR_REQUEST),
               code);
  }
  BOOST_TEST(is(failure({{"code", 400},
                         {"message", "The prompt is too long: 9000, maximum context length 8192"}}),
                PSW_OUTCOME_PROMPT_TRUNCATED));
  BOOST_TEST(is(failure({{"code", "context_length_exceeded"}, {"message", "x"}}),
                PSW_OUTCOME_PROMPT_TRUNCATED));
  BOOST_TEST(
      is(failure({{"code", "DEADLINE_EXCEEDED"}, {"message", "x"}}), PSW_OUTCOME_ERROR_TIMEOUT));
  for (const json& code : {json(500), json(13), json("INTERNAL"), json(429), json(8), json(401),
                           json(nullptr), json("NEW_KIND")}) {
    BOOST_TEST(is(failure({{"code", code}, {"message", "x"}}), PSW_OUTCOME_ERROR_BACKEND), code);
  }
  BOOST_TEST(failure({{"code", 429}, {"message", "x"}}).code == PSW_E_RATE_LIMITED);
  BOOST_TEST(failure({{"code", 403}, {"message", "x"}}).code == PSW_E_AUTH);
  BOOST_TEST(is(failure("something broke"), PSW_OUTCOME_ERROR_BACKEND));
}
