// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE llamacpp_protocol
#include "protocol.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

#include "options.h"
#include "stop_strings.h"

using namespace llamacpp;
using nlohmann::json;

namespace {

std::string refusal(const std::string& options) {
  try {
    parse_options(options);
  } catch (const psw::Error& error) {
    BOOST_TEST(error.code == PSW_E_CONFIG);
    return error.text;
  }
  return "";
}

bool refused(const std::string& line) {
  try {
    parse_query(line);
  } catch (const psw::Error& error) {
    return error.code == PSW_E_INVALID_ARGUMENT;
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_line_is_read_whole) {
  const Query query = parse_query(
      R"({"request_id":"a","model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],)"
      R"("temperature":0.7,"top_p":0.9,"top_k":40,"max_tokens":5,"stop":["\n"],"seed":12,"unknown":[1]})");
  BOOST_TEST(query.messages.size() == 2u);
  BOOST_TEST(query.messages[1].content == "u");
  BOOST_TEST(query.temperature == 0.7);
  BOOST_TEST(*query.top_p == 0.9);
  BOOST_TEST(*query.top_k == 40);
  BOOST_TEST(query.max_tokens == 5);
  BOOST_TEST(query.stop.at(0) == "\n");
  BOOST_TEST(*query.seed == 12u);
  BOOST_TEST(!query.prompt);
}

BOOST_AUTO_TEST_CASE(broken_request_lines_are_refused) {
  BOOST_TEST(refused(R"({"request_id":"a","max_tokens":5})"));
  BOOST_TEST(refused(R"({"request_id":"a","prompt":"x","messages":[],"max_tokens":5})"));
  BOOST_TEST(refused(R"({"request_id":"a","prompt":"x"})"));
  BOOST_TEST(refused(R"({"request_id":"a","prompt":"x","max_tokens":0})"));
  BOOST_TEST(refused(R"({"request_id":"a","prompt":"x","max_tokens":5,"stop":[""]})"));
  BOOST_TEST(refused(R"({"request_id":"a","prompt":"x","max_tokens":"5"})"));
  BOOST_TEST(!refused(R"({"request_id":"a","prompt":"","max_tokens":5})"));
  BOOST_TEST(refused("[]"));
  BOOST_TEST(refused("{"));
  BOOST_TEST(refused(
      R"({"request_id":"a","messages":[{"role":"narrator","content":"x"}],"max_tokens":5})"));
}

// A setting out of range is refused: clamped or cut, it would change answers unseen.
BOOST_AUTO_TEST_CASE(settings_out_of_range_are_refused_and_their_bounds_taken) {
  const auto with = [](const std::string& settings) {
    return R"({"request_id":"a","prompt":"x",)" + settings + "}";
  };
  for (const char* bad :
       {R"("max_tokens":5.5)", R"("max_tokens":-1)", R"("max_tokens":18446744073709551615)",
        R"("max_tokens":5,"temperature":-0.1)", R"("max_tokens":5,"temperature":2.1)",
        R"("max_tokens":5,"temperature":"0")", R"("max_tokens":5,"temperature":null)",
        R"("max_tokens":5,"top_p":0)", R"("max_tokens":5,"top_p":1.01)",
        R"("max_tokens":5,"top_k":-1)", R"("max_tokens":5,"top_k":1.5)",
        R"("max_tokens":5,"seed":-1)", R"("max_tokens":5,"seed":2147483648)"}) {
    BOOST_TEST(refused(with(bad)), bad);
  }
  const Query query =
      parse_query(with(R"("max_tokens":1,"temperature":2,"top_p":1,"top_k":0,"seed":2147483647)"));
  BOOST_TEST(query.temperature == 2);
  BOOST_TEST(*query.top_p == 1);
  BOOST_TEST(*query.top_k == 0);
  BOOST_TEST(*query.seed == 2147483647u);
}

BOOST_AUTO_TEST_CASE(an_answer_says_what_was_measured_and_null_else) {
  Answer answer;
  answer.text = "caf\xC3";  // the limit cut a character
  answer.reached_limit = true;
  answer.prompt_tokens = 7;
  answer.completion_tokens = 3;
  const json body = json::parse(answer_body(answer));
  BOOST_TEST(body.at("text") == "caf\xEF\xBF\xBD");
  BOOST_TEST(body.at("finish_reason") == "length");
  BOOST_TEST(body.at("prompt_tokens_evaluated") == 7);
  BOOST_TEST(body.at("seed_honoured").is_null());
}

BOOST_AUTO_TEST_CASE(options_have_defaults_and_bounds) {
  const Options options = parse_options(R"({"model":"m.gguf","n_ctx":512,"n_parallel":4})");
  BOOST_TEST(options.n_ctx == 512u);
  BOOST_TEST(options.sequences() == 4u);
  BOOST_TEST(parse_options(R"({"model":"m","n_parallel":4,"deterministic":true})").sequences() ==
             1u);
  BOOST_TEST(refusal("{}").starts_with("/model: "));
  BOOST_TEST(refusal(R"({"model":"m","n_ctx":12})").starts_with("/n_ctx: "));
  BOOST_TEST(refusal(R"({"model":"m","n_ctx":64,"n_parallel":4})").starts_with("/n_ctx: "));
  BOOST_TEST(refusal(R"({"model":"m","n_parallel":"2"})").starts_with("/n_parallel: "));
  BOOST_TEST(refusal(R"({"model":"m","prompt_format":"text"})").starts_with("/prompt_format: "));
  BOOST_TEST(refusal(R"({"model":"m","n_paralel":2})").starts_with("/n_paralel: "));
  BOOST_TEST(!refusal("[]").empty());
  BOOST_TEST(refusal(R"({"model":"m","n_gpu_layers":18446744073709551615})")
                 .starts_with("/n_gpu_layers: "));
}

// `deterministic` may change numerics, not which prompts fit.
BOOST_AUTO_TEST_CASE(a_sequences_share_does_not_depend_on_deterministic) {
  const Options usual = parse_options(R"({"model":"m","n_ctx":512,"n_parallel":4})");
  const Options alone =
      parse_options(R"({"model":"m","n_ctx":512,"n_parallel":4,"deterministic":true})");
  BOOST_TEST(usual.share() == 128u);
  BOOST_TEST(alone.share() == 128u);
  BOOST_TEST(refusal(R"({"model":"m","n_ctx":64,"n_parallel":4,"deterministic":true})")
                 .starts_with("/n_ctx: "));
}

// The schema is what the core reads, parse_options what the plugin obeys.
BOOST_AUTO_TEST_CASE(the_schema_names_the_options_that_are_read) {
  const json schema = json::parse(options_schema);
  for (const auto& [name, property] : schema.at("properties").items()) {
    json config{{"model", "m"}};
    config[name] = json::array();
    BOOST_TEST(refusal(config.dump()).starts_with("/" + name + ": "), name);
    const bool marked =
        property.contains("x-changes-answers") || property.contains("x-changes-numerics");
    BOOST_TEST(marked, name);
  }
}

BOOST_AUTO_TEST_CASE(stop_strings_are_found_across_tokens) {
  BOOST_TEST(find_stop("abc STOP def", 0, {"STOP"}).value() == 4u);
  BOOST_TEST(find_stop("abc STOP", 6, {"STOP"}).value() == 4u);  // "ST" was there, "OP" is new
  BOOST_TEST(!find_stop("abc STO", 4, {"STOP"}).has_value());
  BOOST_TEST(find_stop("one two", 0, {"two", "one"}).value() == 0u);
  BOOST_TEST(!find_stop("abc", 0, {}).has_value());
  // A character whose bytes come in two tokens.
  BOOST_TEST(!find_stop("caf\xC3", 3, {"\xC3\xA9"}).has_value());
  BOOST_TEST(find_stop("caf\xC3\xA9", 4, {"\xC3\xA9"}).value() == 3u);
  // The earlier place wins, not the earlier stop string.
  BOOST_TEST(find_stop("abcd", 3, {"d", "bcd"}).value() == 1u);
}
