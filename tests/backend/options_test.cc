// SPDX-License-Identifier: Apache-2.0
#include "backend/options.h"

#include <boost/test/unit_test.hpp>

#include "echo_fixture.h"

namespace promptsweep {
namespace {

const char schema[] = R"({
  "type": "object", "additionalProperties": false,
  "properties": {
    "n_ctx": {"type": "integer", "minimum": 32, "maximum": 4096, "default": 512, "x-changes-answers": true},
    "kind": {"enum": ["a", "b"], "x-changes-answers": true},
    "threads": {"type": "integer", "minimum": 1},
    "n_parallel": {"type": "integer", "default": 1, "x-changes-numerics": true},
    "list": {"type": "array", "items": {"type": "object", "required": ["x"]}}
  }})";

std::string error_of(const std::string& options) {
  const Status checked = check_against_schema(schema, options);
  if (checked) return "accepted";
  BOOST_TEST((checked.error().code == Code::invalid_input));
  return checked.error().text;
}

BOOST_AUTO_TEST_CASE(good_options_pass) {
  BOOST_TEST(error_of("{}") == "accepted");
  BOOST_TEST(error_of(R"({"n_ctx": 64, "kind": "b", "list": [{"x": 1}]})") == "accepted");
}

BOOST_AUTO_TEST_CASE(an_error_begins_with_its_pointer_and_says_what_is_allowed) {
  BOOST_TEST(error_of(R"({"n_ctx": 12})") ==
             "/n_ctx: 12 is not allowed here; allowed: integer of at least 32 up to 4096");
  BOOST_TEST(error_of(R"({"n_ctx": "64"})") ==
             "/n_ctx: \"64\" is not allowed here; allowed: integer of at least 32 up to 4096");
  BOOST_TEST(error_of(R"({"kind": "c"})") ==
             "/kind: \"c\" is not allowed here; allowed: one of \"a\" \"b\"");
  BOOST_TEST(error_of(R"({"n_cxt": 64})") ==
             "/n_cxt: unknown option; this backend takes kind, list, n_ctx, n_parallel, threads");
  BOOST_TEST(error_of(R"({"list": [{"x": 1}, {}]})").rfind("/list/1: ", 0) == 0u);
  BOOST_TEST(error_of("[]") == "/: the options are not an object");
  BOOST_TEST(error_of("{") == "/: the options are not an object");
}

BOOST_AUTO_TEST_CASE(a_broken_schema_is_not_the_users_fault) {
  for (const char* broken : {"", "[1]", R"({"type": 3})"}) {
    const Status checked = check_against_schema(broken, "{}");
    BOOST_REQUIRE(!checked);
    BOOST_TEST((checked.error().code == Code::data));
  }
}

BOOST_AUTO_TEST_CASE(what_the_core_knows_is_filled_in_where_it_is_absent) {
  const std::string marks = R"({"properties": {
    "account": {"type": "string", "x-env": "ACCOUNT"}, "region": {"type": "string", "x-env": "REGION"},
    "model": {"type": "string", "x-role": "model"}, "n": {"type": "integer"}}})";
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "ACCOUNT") return "lab";
    return std::nullopt;
  };
  const auto completed = [&](const std::string& options) {
    return completed_options(marks, options, "m:1b", environment);
  };
  BOOST_TEST(completed("{}") == R"({"account":"lab","model":"m:1b"})");
  BOOST_TEST(completed(R"({"account": "mine", "model": "other", "n": 1})") ==
             R"({"account":"mine","model":"other","n":1})");
  BOOST_TEST(completed("[") == "[");
  BOOST_TEST(completed_options("", "{}", "m", environment) == "{}");
}

BOOST_AUTO_TEST_CASE(marked_options_have_their_defaults_filled_in) {
  BOOST_TEST(marked_options(schema, R"({"threads": 3})", "x-changes-answers") ==
             R"({"n_ctx":512})");
  BOOST_TEST(marked_options(schema, R"({"kind": "a", "n_ctx": 64})", "x-changes-answers") ==
             R"({"kind":"a","n_ctx":64})");
  BOOST_TEST(marked_options(schema, "{}", "x-changes-numerics") == R"({"n_parallel":1})");
}

BOOST_FIXTURE_TEST_CASE(the_plugins_own_check_follows_the_schemas, EchoFixture) {
  const PluginInfo echo = plugin();
  BOOST_TEST(bool(validate_options(echo, R"({"failures": [{"kind": "abort", "nth": 2}]})")));
  const Status by_schema = validate_options(echo, R"({"n_parallel": 0})");
  BOOST_REQUIRE(!by_schema);
  BOOST_TEST(by_schema.error().text ==
             "/n_parallel: 0 is not allowed here; allowed: integer of at least 1 up to 256");
  // The schema has no upper limit here, the plugin has one.
  const Status by_plugin = validate_options(echo, R"({"max_parallel": 4294967296})");
  BOOST_REQUIRE(!by_plugin);
  BOOST_TEST(by_plugin.error().text.rfind("/max_parallel: ", 0) == 0u);
  BOOST_TEST((by_plugin.error().code == Code::invalid_input));
}

// Parallelism goes first, then offload; what changes the experiment never does.
BOOST_AUTO_TEST_CASE(less_memory_is_less_parallelism_then_less_offload) {
  const char* rules = R"({"properties": {
    "n_ctx": {"type": "integer", "default": 512, "x-role": "context"},
    "n_parallel": {"type": "integer", "minimum": 1, "default": 1, "x-role": "parallelism"},
    "n_gpu_layers": {"type": "integer", "minimum": -1, "default": -1, "x-role": "offload"},
    "threads": {"type": "integer", "default": 0, "x-role": "threads"}}})";
  std::string options = R"({"n_parallel": 5, "n_gpu_layers": 3, "n_ctx": 64})";
  std::vector<std::string> steps;
  while (const auto lowered = with_less_memory(rules, options)) steps.push_back(options = *lowered);
  const std::vector<std::string> wanted{R"({"n_ctx":64,"n_gpu_layers":3,"n_parallel":2})",
                                        R"({"n_ctx":64,"n_gpu_layers":3,"n_parallel":1})",
                                        R"({"n_ctx":64,"n_gpu_layers":1,"n_parallel":1})",
                                        R"({"n_ctx":64,"n_gpu_layers":0,"n_parallel":1})"};
  BOOST_TEST(steps == wanted, boost::test_tools::per_element());
  BOOST_TEST(with_less_memory(rules, "{}").value() == R"({"n_gpu_layers":64})");
  BOOST_TEST(!with_less_memory("{}", R"({"n_parallel": 5})").has_value());
}

BOOST_AUTO_TEST_CASE(threads_are_those_of_the_options_or_the_default) {
  const char* rules = R"({"properties": {"threads": {"default": 0, "x-role": "threads"}}})";
  BOOST_TEST(threads_option(rules, R"({"threads": 3})").value() == 3);
  BOOST_TEST(threads_option(rules, "{}").value() == 0);
  BOOST_TEST(!threads_option("{}", R"({"threads": 3})").has_value());
}

BOOST_FIXTURE_TEST_CASE(resources_come_from_the_plugin, EchoFixture) {
  const auto need = estimate_resources(plugin(), R"({"ram_bytes": 7000000000, "vram_bytes": 5})");
  BOOST_REQUIRE(bool(need));
  BOOST_REQUIRE(need->has_value());
  BOOST_TEST((*need)->ram_bytes == 7000000000u);
  BOOST_TEST((*need)->vram_bytes == 5u);
  BOOST_TEST((*need)->basis == "declared by the options");
}

}  // namespace
}  // namespace promptsweep
