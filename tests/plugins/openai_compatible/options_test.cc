// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE openai_options
#include "options.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

#include "facts.h"

using namespace openai;
using nlohmann::json;

namespace {

json minimal() { return {{"model", "m"}, {"base_url", "http://127.0.0.1:8080"}}; }

std::string refusal(const json& options) {
  try {
    parse_options(options.dump());
  } catch (const psw::Error& error) {
    BOOST_TEST(error.code == PSW_E_CONFIG);
    return error.text;
  }
  return "";
}
std::string refusal_of(const std::string& key, const json& value) {
  json options = minimal();
  options[key] = value;
  return refusal(options);
}

}  // namespace

BOOST_AUTO_TEST_CASE(options_have_defaults_and_bounds) {
  const Options options = parse_options(minimal().dump());
  BOOST_TEST(options.api_url == "http://127.0.0.1:8080/v1");
  BOOST_TEST(options.root_url == "http://127.0.0.1:8080");
  BOOST_TEST(options.max_concurrent_requests == 32u);
  BOOST_TEST(options.api_key.empty());
  BOOST_TEST(options.adaptive);
  BOOST_TEST(!options.logprobs);
  BOOST_TEST(refusal({{"model", "m"}}).starts_with("/base_url: "));
  BOOST_TEST(refusal({{"base_url", "http://h"}}).starts_with("/model: "));
  BOOST_TEST(refusal_of("base_url", "http://u:p@h").starts_with("/base_url: found a user name"));
  BOOST_TEST(refusal_of("base_url", "http://u:hush@h").find("hush") == std::string::npos);
  BOOST_TEST(refusal_of("api_key", "sk-my-secret").starts_with("/api_key: "));
  BOOST_TEST(refusal_of("dialect", "klingon").starts_with("/dialect: "));
  BOOST_TEST(refusal_of("max_concurrent_requests", 0).starts_with("/max_concurrent_requests: "));
  BOOST_TEST(refusal_of("logprobs", 21).starts_with("/logprobs: "));
  BOOST_TEST(refusal_of("modell", "x").starts_with("/modell: "));
}

BOOST_AUTO_TEST_CASE(the_schema_names_the_options_that_are_read) {
  const json schema = json::parse(options_schema);
  for (const auto& [name, property] : schema.at("properties").items()) {
    BOOST_TEST(refusal_of(name, json::array()).starts_with("/" + name + ": "), name);
    BOOST_TEST(property.contains("description"), name);
  }
  // Each name of a secret that the schema offers is declared to the core.
  json names = json::parse(secrets_json);
  names.insert(names.begin(), "none");
  BOOST_TEST(schema.at("properties").at("api_key").at("enum") == names);
}

BOOST_AUTO_TEST_CASE(urls_with_and_without_a_path) {
  const auto urls = [](const std::string& written) {
    json options = minimal();
    options["base_url"] = written;
    const Options read = parse_options(options.dump());
    return read.api_url + " " + read.root_url;
  };
  BOOST_TEST(urls("https://api.openai.com/v1/") ==
             "https://api.openai.com/v1 https://api.openai.com");
  BOOST_TEST(urls("localhost:1234") == "http://localhost:1234/v1 http://localhost:1234");
  BOOST_TEST(urls("https://h/api/openai") == "https://h/api/openai https://h/api/openai");
}

BOOST_AUTO_TEST_CASE(extra_members_may_not_say_what_the_sweep_says) {
  BOOST_TEST(refusal_of("extra_body", {{"min_p", 0.1}}).empty());
  for (const char* key : {"temperature", "seed", "messages", "n", "stream", "max_tokens", "top_k"})
    BOOST_TEST(refusal_of("extra_body", {{key, 1}}).starts_with("/extra_body: "), key);
}

BOOST_AUTO_TEST_CASE(servers_are_known_by_their_lists) {
  const auto llama =
      read_models(R"({"object":"list","data":[{"id":"/models/demo.gguf","owned_by":"llamacpp",)"
                  R"("meta":{"n_ctx_train":4096,"n_params":123}}]})");
  BOOST_TEST(dialect_of(*llama, "http://h/v1") == "llama_server");
  BOOST_TEST(llama->front().meta.at("n_params") == "123");
  BOOST_TEST(find_model(*llama, "demo", true) != nullptr);
  BOOST_TEST(find_model(*llama, "demo.gguf", true) != nullptr);
  BOOST_TEST(find_model(*llama, "demo", false) == nullptr);
  BOOST_TEST(find_model(*llama, "dem", true) == nullptr);
  const auto vllm =
      read_models(R"({"data":[{"id":"org/m","owned_by":"vllm","max_model_len":2048}]})");
  BOOST_TEST(dialect_of(*vllm, "http://h/v1") == "vllm");
  BOOST_TEST(vllm->front().max_model_len.value() == 2048u);
  const auto openai = read_models(R"({"data":[{"id":"m","owned_by":"system"}]})");
  BOOST_TEST(dialect_of(*openai, "https://api.openai.com/v1") == "openai");
  BOOST_TEST(dialect_of(*openai, "http://h/v1") == "");
  BOOST_TEST(!read_models("<html>"));
  BOOST_TEST(!read_models(R"({"error":"x"})"));
}

BOOST_AUTO_TEST_CASE(what_servers_say_of_their_context) {
  const auto props =
      read_props(R"({"default_generation_settings":{"n_ctx":512,"params":{}},"total_slots":4,)"
                 R"("chat_template":"t","build_info":"b1"})");
  BOOST_TEST(props.value().context.value() == 512u);
  BOOST_TEST(props.value().slots.value() == 4u);
  BOOST_TEST(props.value().build == "b1");
  BOOST_TEST(!read_props(R"({"error":"File Not Found"})"));
  const std::string list =
      R"({"data":[{"id":"m","arch":"llama","quantization":"Q4","compatibility_type":"gguf",)"
      R"("max_context_length":4096,"loaded_context_length":1024}]})";
  BOOST_TEST(read_lm_studio(list, "m").value().context.value() == 1024u);
  BOOST_TEST(!read_lm_studio(list, "other").value().context);
  BOOST_TEST(!read_lm_studio(R"({"data":[{"id":"m"}]})", "m"));
}
