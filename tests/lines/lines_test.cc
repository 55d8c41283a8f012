// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE lines
#include <promptsweep/json_text.h>
#include <promptsweep/lines.h>
#include <promptsweep/options.h>
#include <promptsweep/sha256.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

using namespace psw::lines;
using nlohmann::json;

namespace {

bool refused(const std::string& line) {
  try {
    parse_query(line);
  } catch (const psw::Error& error) {
    return error.code == PSW_E_INVALID_ARGUMENT;
  }
  return false;
}

std::string option_refusal(const std::function<void(OptionReader&)>& read,
                           const std::string& config) {
  try {
    OptionReader reader(config, "this");
    read(reader);
    reader.nothing_else();
  } catch (const psw::Error& error) {
    BOOST_TEST(error.code == PSW_E_CONFIG);
    return error.text;
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(hashes_do_not_depend_on_the_pieces) {
  psw::lines::Sha256 whole, pieces;
  whole.add("abc");
  pieces.add("a");
  pieces.add("bc");
  const std::string hex = whole.hex();
  BOOST_TEST(hex == pieces.hex());
  BOOST_TEST(hex == psw::lines::sha256_hex("abc"));
  BOOST_TEST(hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

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
  answer.finish = Finish::length;
  answer.prompt_tokens = answer.prompt_tokens_evaluated = 7;
  answer.completion_tokens = 3;
  const json body = json::parse(answer_body(answer));
  BOOST_TEST(body.at("text") == "caf\xEF\xBF\xBD");
  BOOST_TEST(body.at("finish_reason") == "length");
  BOOST_TEST(body.at("prompt_tokens_evaluated") == 7);
  BOOST_TEST(body.at("seed_honoured").is_null());
}

// Byte for byte what the in-process plugin has always written: stored bodies stay comparable.
BOOST_AUTO_TEST_CASE(an_answers_members_are_fixed) {
  Answer answer;
  answer.text = "a";
  answer.model = "m";
  answer.prompt_tokens = answer.prompt_tokens_evaluated = 7;
  answer.completion_tokens = 3;
  answer.queue_ms = answer.prefill_ms = answer.decode_ms = 0.5;
  answer.total_ms = 1;
  BOOST_TEST(answer_body(answer) ==
             R"({"completion_tokens":3,"finish_reason":"stop","model":"m","prompt_tokens":7,)"
             R"("prompt_tokens_evaluated":7,"seed_honoured":null,"text":"a",)"
             R"("timings":{"decode_ms":0.5,"prefill_ms":0.5,"queue_ms":0.5,"total_ms":1.0}})");
}

BOOST_AUTO_TEST_CASE(what_a_service_adds_is_kept_where_it_is_there) {
  Answer answer;
  answer.finish = Finish::content_filter;
  answer.remote_id = "r";
  answer.system_fingerprint = "f";
  answer.reasoning = "thought";
  answer.logprobs_json = "[1]";
  json body = json::parse(answer_body(answer));
  BOOST_TEST(body.at("finish_reason") == "content_filter");
  BOOST_TEST(body.at("prompt_tokens").is_null());
  BOOST_TEST(body.at("timings").is_null());
  BOOST_TEST(body.at("remote_id") == "r");
  BOOST_TEST(body.at("system_fingerprint") == "f");
  BOOST_TEST(body.at("reasoning") == "thought");
  BOOST_TEST(body.at("logprobs") == json({1}));
  answer.logprobs_json = "[1";
  BOOST_TEST(!json::parse(answer_body(answer)).contains("logprobs"));
  BOOST_TEST(failure_body("caf\xC3 \"x\"\n") == "{\"error\":\"caf\xEF\xBF\xBD \\\"x\\\"\\n\"}");
}

BOOST_AUTO_TEST_CASE(a_seed_is_sent_above_temperature_0_only) {
  const auto line = [](const std::string& members) {
    return R"({"request_id":"a","prompt":"say \"seed\" twice","max_tokens":1)" + members + "}";
  };
  BOOST_TEST(!wishes_seed(line("")));
  BOOST_TEST(!wishes_seed(line(R"(,"temperature":0,"seed":3)")));
  BOOST_TEST(wishes_seed(line(R"(,"temperature":0.5,"seed":3)")));
  BOOST_TEST(!wishes_seed(line(R"(,"temperature":0.5)")));
}

BOOST_AUTO_TEST_CASE(broken_text_is_repaired_and_whole_json_left_alone) {
  const auto repaired = [](std::string_view text) { return repair_json(text); };
  for (const std::string good : {R"({"a":"caf\u00e9 \ud83d\ude00 \"quoted\" \\","b":[1,2.5,null]})",
                                 "{\n \"a\": \"\xC3\xA9\"\n}", ""})
    BOOST_TEST(repaired(good) == good);
  const std::string lost = "\xEF\xBF\xBD";
  BOOST_TEST(repaired("\"a\xFFz\"") == "\"a" + lost + "z\"");
  BOOST_TEST(repaired("\"\xC3\"") == "\"" + lost + "\"");
  BOOST_TEST(repaired("\"\xED\xA0\x80\"") == "\"" + lost + lost + lost + "\"");
  BOOST_TEST(repaired(R"("\ud800 x")") == R"("\ufffd x")");
  BOOST_TEST(repaired(R"("\udc00\ud83d\ude00")") == R"("\ufffd\ud83d\ude00")");
  BOOST_TEST(repaired(std::string_view("\"a\0b\n\"", 6)) == R"("a\u0000b\u000a")");
  // An escape that is cut, and one at the very end, must not be read beyond.
  BOOST_TEST(repaired(R"("\u12)") == R"("\u12)");
  BOOST_TEST(repaired("\"\\") == "\"\\");
  BOOST_TEST(repaired(R"("\ud83d)") == R"("\ufffd)");
}

BOOST_AUTO_TEST_CASE(options_are_told_by_pointer) {
  int count = 0;
  double share = 0;
  bool flag = false;
  std::string text, kind, object;
  const auto read = [&](OptionReader& reader) {
    reader.integer("count", count, 1, 9);
    reader.number("share", share, 0, 1);
    reader.boolean("flag", flag);
    reader.text("text", text);
    reader.choice("kind", kind, {"a", "b", "c"});
    reader.object("object", object);
  };
  BOOST_TEST(
      option_refusal(
          read,
          R"({"count":3,"share":0.5,"flag":true,"text":"t","kind":"b","object":{"z":1,"a":2}})") ==
      "");
  BOOST_TEST(count == 3);
  BOOST_TEST(share == 0.5);
  BOOST_TEST(flag);
  BOOST_TEST(text == "t");
  BOOST_TEST(kind == "b");
  BOOST_TEST(object == R"({"a":2,"z":1})");
  BOOST_TEST(option_refusal(read, R"({"count":10})") == "/count: found 10; allowed is 1 to 9");
  BOOST_TEST(option_refusal(read, R"({"count":18446744073709551615})").starts_with("/count: "));
  BOOST_TEST(option_refusal(read, R"({"count":1.5})").starts_with("/count: "));
  BOOST_TEST(option_refusal(read, R"({"share":1.5})") ==
             "/share: found 1.5; allowed is 0.0 to 1.0");
  BOOST_TEST(option_refusal(read, R"({"flag":1})").starts_with("/flag: "));
  BOOST_TEST(option_refusal(read, R"({"text":""})").starts_with("/text: "));
  BOOST_TEST(option_refusal(read, R"({"kind":"d"})") == "/kind: found \"d\"; allowed is a, b or c");
  BOOST_TEST(option_refusal(read, R"({"object":[]})").starts_with("/object: "));
  BOOST_TEST(option_refusal(read, R"({"cuont":1})") == "/cuont: is no option of this");
  BOOST_TEST(!option_refusal(read, "[]").empty());
}
