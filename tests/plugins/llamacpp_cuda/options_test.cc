// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE llamacpp_options
#include "options.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

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

}  // namespace

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
