// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "prompt/arm_fixture.h"
#include "prompt/render.h"
#include "rows_of.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

const json& schema() {
  static const json read = [] {
    std::ifstream in(PROMPTSWEEP_SOURCE_DIR "/sdk/schema/request.schema.json");
    return json::parse(in);
  }();
  return read;
}

bool has_type(const json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

// The words that the request schema uses; an unknown one fails, so that this keeps up with it.
void check(const json& value, const json& rule, const std::string& where) {
  for (const auto& [word, what] : rule.items()) {
    BOOST_TEST_CONTEXT(where << " " << word) {
      if (word == "type") {
        BOOST_TEST_REQUIRE(has_type(value, what));
      } else if (word == "enum") {
        BOOST_TEST((std::find(what.begin(), what.end(), value) != what.end()));
      } else if (word == "minimum") {
        BOOST_TEST(value >= what);
      } else if (word == "maximum") {
        BOOST_TEST(value <= what);
      } else if (word == "exclusiveMinimum") {
        BOOST_TEST(value > what);
      } else if (word == "minItems") {
        BOOST_TEST(value.size() >= what.get<std::size_t>());
      } else if (word == "minLength") {
        BOOST_TEST(value.get<std::string>().size() >= what.get<std::size_t>());
      } else if (word == "maxLength") {
        BOOST_TEST(value.get<std::string>().size() <= what.get<std::size_t>());
      } else if (word == "required") {
        for (const std::string name : what) BOOST_TEST(value.contains(name), name);
      } else if (word == "items") {
        for (const json& one : value) check(one, what, where + "[]");
      } else if (word == "properties") {
        for (const auto& [name, member] : value.items()) {
          BOOST_TEST_REQUIRE(what.contains(name), name);
          check(member, what[name], where + "." + name);
        }
      } else if (word == "oneOf") {
        BOOST_TEST(value.contains("messages") != value.contains("prompt"));
      } else {
        BOOST_TEST((word[0] == '$' || word == "title" || word == "description"));
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_lines)

BOOST_AUTO_TEST_CASE(a_line_is_these_bytes) {
  BOOST_TEST(request_line(sampling_arm(), "org/model-1", closed_item("q1"), "id1", 7) ==
             R"({"request_id":"id1","model":"org/model-1","messages":[)"
             R"({"role":"system","content":"Be brief."},)"
             R"({"role":"user","content":"Answer.\n\nQUESTION:\nWho?"}],)"
             R"("temperature":0.7,"top_p":0.9,"top_k":40,"max_tokens":64,"stop":["\n"],"seed":7})");
  BOOST_TEST(request_line(greedy_arm(), "m", open_item("q1"), "id2", 7) ==
             R"({"request_id":"id2","model":"m","messages":[)"
             R"({"role":"system","content":"Be brief."},)"
             R"({"role":"user","content":"Answer from the passage.\n\n)"
             R"(CONTEXT:\nAda wrote it.\n\nQUESTION:\nWho?"}],)"
             R"("temperature":0.0,"max_tokens":1024})");
}

BOOST_AUTO_TEST_CASE(the_user_turn_of_each_task) {
  const TaskInstructions instructions{"Closed.", "Open."};
  Item closed = closed_item("q");
  closed.context = "not shown";
  BOOST_TEST(user_turn(instructions, closed) == "Closed.\n\nQUESTION:\nWho?");
  BOOST_TEST(user_turn(instructions, open_item("q")) ==
             "Open.\n\nCONTEXT:\nAda wrote it.\n\nQUESTION:\nWho?");
}

BOOST_AUTO_TEST_CASE(no_seed_is_sent_at_temperature_zero) {
  ArmSpec arm = sampling_arm();
  BOOST_TEST(json::parse(request_line(arm, "m", closed_item("q"), "i", 9))["seed"] == 9);
  arm.decoding.temperature = 0;
  BOOST_TEST(!json::parse(request_line(arm, "m", closed_item("q"), "i", 9)).contains("seed"));
}

// D3: a closed-book request has the closed-book limit.
BOOST_AUTO_TEST_CASE(d3_each_task_has_its_token_limit) {
  const ArmSpec arm = sampling_arm();
  BOOST_TEST(json::parse(request_line(arm, "m", closed_item("q"), "i", 0))["max_tokens"] == 64);
  BOOST_TEST(json::parse(request_line(arm, "m", open_item("q"), "i", 0))["max_tokens"] == 128);
}

BOOST_AUTO_TEST_CASE(lines_conform_to_the_sdk_schema) {
  BOOST_REQUIRE(schema().is_object());
  Item strange = open_item("q|\"\n");
  strange.question = "Wer?\u2028\"\\\x01 東京 \U0001F4A9";
  for (const ArmSpec& arm : {sampling_arm(), greedy_arm()}) {
    for (const Item& item : {closed_item("q"), open_item("q"), strange}) {
      for (const RequestRow& row : rows_of(arm, "org/model", {item})) {
        const std::string line = request_line(arm, "org/model", item, row.request_id, row.seed);
        BOOST_TEST(line.find('\n') == std::string::npos);
        BOOST_TEST(line.find(R"({"request_id":)") == 0u);
        const json parsed = json::parse(line);
        check(parsed, schema(), "line");
        BOOST_TEST(parsed["messages"][1]["content"] == user_turn(arm.instructions, item));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stray_byte_does_not_break_a_line) {
  ArmSpec arm = greedy_arm();
  arm.system_prompt =
      "a\xff"
      "b";
  const json parsed = json::parse(request_line(arm, "m", closed_item("q"), "i", 0));
  BOOST_TEST(parsed["messages"][0]["content"] == "a\uFFFDb");
}

BOOST_AUTO_TEST_CASE(tokens_are_estimated_from_characters_not_bytes) {
  BOOST_TEST(estimate_tokens("") == 1);
  BOOST_TEST(estimate_tokens("abcdefg") == 1);
  BOOST_TEST(estimate_tokens("abcdefgh") == 2);
  BOOST_TEST(estimate_tokens("éééééééé") == 2);
  BOOST_TEST(estimate_tokens("東京東京東京東京東京東京") == 3);
  BOOST_TEST(estimate_tokens("\U0001F4A9\U0001F4A9\U0001F4A9\U0001F4A9") == 1);
}

BOOST_AUTO_TEST_SUITE_END()
