// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>

#include "backend/text.h"

namespace promptsweep {
namespace {

const Redactor nothing_secret;

ResultRow row_of(std::string_view body, std::int32_t outcome = PSW_OUTCOME_OK) {
  host::Record record;
  record.outcome = outcome;
  record.request_id = "id";
  record.body_json = body;
  record.started_unix_us = 1000;
  record.finished_unix_us = 3500;
  record.attempts = 2;
  return to_row(record, "job", nothing_secret);
}

BOOST_AUTO_TEST_CASE(an_answer_has_every_member) {
  const ResultRow row = row_of(
      R"({"text":"Paris","finish_reason":"stop","model":"m","prompt_tokens":9,)"
      R"("prompt_tokens_evaluated":9,"completion_tokens":1,"remote_id":"x1","seed_honoured":true,)"
      R"("timings":{"total_ms":2},"unknown":[1]})");
  BOOST_TEST((row.outcome == Outcome::ok));
  BOOST_TEST(row.request_id == "id");
  BOOST_TEST(row.job_id == "job");
  BOOST_TEST(row.text == "Paris");
  BOOST_TEST(row.finish_reason == "stop");
  BOOST_TEST(row.model == "m");
  BOOST_TEST(row.prompt_tokens.value() == 9);
  BOOST_TEST(row.completion_tokens.value() == 1);
  BOOST_TEST(row.remote_id == "x1");
  BOOST_TEST(row.seed_honoured.value());
  BOOST_TEST(row.latency_ms.value() == 2.5);
  BOOST_TEST(row.attempts == 2);
  BOOST_TEST(row.timings_json == R"({"total_ms":2})");
}

BOOST_AUTO_TEST_CASE(what_was_not_measured_is_absent) {
  const ResultRow row = row_of(R"({"text":"a","finish_reason":"stop","prompt_tokens":null})");
  BOOST_TEST(!row.prompt_tokens.has_value());
  BOOST_TEST(!row.completion_tokens.has_value());
  BOOST_TEST(!row.seed_honoured.has_value());
  host::Record untimed;
  untimed.outcome = PSW_OUTCOME_OK;
  untimed.body_json = R"({"text":"a"})";
  untimed.finished_unix_us = 5;
  BOOST_TEST(!to_row(untimed, "j", nothing_secret).latency_ms.has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_without_a_visible_character_is_empty) {
  for (const char* text : {"", " ", "\\n\\t", "\\u200b", "\\u00a0\\u3000", "\\ufeff"}) {
    const ResultRow row = row_of(std::string(R"({"finish_reason":"stop","text":")") + text + "\"}");
    BOOST_TEST((row.outcome == Outcome::empty), text);
  }
  BOOST_TEST((row_of(R"({"text":" . "})").outcome == Outcome::ok));
  BOOST_TEST((row_of(R"({"text":""})", PSW_OUTCOME_TRUNCATED).outcome == Outcome::truncated));
  BOOST_TEST((row_of(R"({"text":""})", PSW_OUTCOME_FILTERED).outcome == Outcome::filtered));
}

BOOST_AUTO_TEST_CASE(a_prompt_that_was_not_seen_whole_is_no_answer) {
  const ResultRow row = row_of(
      R"({"text":"a","prompt_tokens":10,"prompt_tokens_evaluated":8,"completion_tokens":1})");
  BOOST_TEST((row.outcome == Outcome::prompt_truncated));
  BOOST_TEST(row.text.empty());
  BOOST_TEST(row.error == "the model saw only 8 of the prompt's 10 tokens");
}

BOOST_AUTO_TEST_CASE(failures_keep_their_sentence) {
  const ResultRow row = row_of(R"({"error":"no such model"})", PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST((row.outcome == Outcome::error_request));
  BOOST_TEST(row.error == "no such model");
  BOOST_TEST(row_of(R"({"error":{"message":"m"}})", PSW_OUTCOME_EXPIRED).error == "m");
  BOOST_TEST(!row_of("{}", PSW_OUTCOME_CANCELLED).error.empty());
  BOOST_TEST((row_of("{}", 99).outcome == Outcome::error_backend));
}

BOOST_AUTO_TEST_CASE(a_body_that_makes_no_sense_is_the_backends_error) {
  for (const char* body : {"", "nonsense", "[]", "{}", R"({"text":5})"}) {
    BOOST_TEST((row_of(body).outcome == Outcome::error_backend), body);
  }
}

BOOST_AUTO_TEST_CASE(secrets_do_not_pass) {
  Redactor redactor;
  redactor.add("sk-secret");
  redactor.add("x");  // too short to be one
  BOOST_TEST(redactor.clean("key sk-secret, x, sk-secret") == "key ***, x, ***");
  host::Record record;
  record.outcome = PSW_OUTCOME_ERROR_BACKEND;
  record.body_json = R"({"error":"401 for sk-secret"})";
  BOOST_TEST(to_row(record, "j", redactor).error == "401 for ***");
}

}  // namespace
}  // namespace promptsweep
