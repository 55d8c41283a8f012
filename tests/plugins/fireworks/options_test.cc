// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE fireworks_protocol
#include "options.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

#include "ids.h"
#include "token.h"

using namespace fireworks;
using nlohmann::json;

namespace {

json good() { return {{"account_id", "team"}, {"model", "tiny"}}; }

std::string refusal(const json& options) {
  try {
    parse_options(options.dump());
  } catch (const psw::Error& error) {
    BOOST_TEST(error.code == PSW_E_CONFIG);
    return error.text;
  }
  return "";
}

std::string refusal(const char* key, const json& value) {
  json options = good();
  options[key] = value;
  return refusal(options);
}

bool begins(const std::string& text, const std::string& head) { return text.rfind(head, 0) == 0; }

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_not_said_has_the_schemas_defaults) {
  const Options options = parse_options(good().dump());
  const json properties = json::parse(options_schema).at("properties");
  BOOST_TEST(properties.at("poll_s").at("default") == options.poll_s);
  BOOST_TEST(properties.at("poll_max_s").at("default") == options.poll_max_s);
  BOOST_TEST(properties.at("deadline_h").at("default") == options.deadline_h);
  BOOST_TEST(properties.at("retry_after_max_s").at("default") == options.retry_after_max_s);
  BOOST_TEST(properties.at("max_continuations").at("default") == options.max_continuations);
  BOOST_TEST(properties.at("max_concurrent_jobs").at("default") == options.max_concurrent_jobs);
  BOOST_TEST(properties.at("max_concurrent_requests").at("default") ==
             options.max_concurrent_requests);
  BOOST_TEST(properties.at("upload_limit_bytes").at("default") == options.upload_limit_bytes);
  BOOST_TEST(properties.at("base_url").at("default") == options.base_url);
  BOOST_TEST(properties.at("mode").at("default") == "batch");
  BOOST_TEST(!options.realtime);
  BOOST_TEST((options.cleanup == Cleanup::after_success));
  BOOST_TEST(options.precision.empty());
}

BOOST_AUTO_TEST_CASE(every_option_of_the_schema_is_read_and_no_other) {
  const json properties = json::parse(options_schema).at("properties");
  for (const auto& [key, schema] : properties.items()) {
    BOOST_TEST(begins(refusal(key.c_str(), json::array()), "/" + key + ":"), key);
    BOOST_TEST(schema.contains("description"), key);
  }
  BOOST_TEST(begins(refusal("pol_s", 3), "/pol_s:"));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_with_what_is_allowed) {
  BOOST_TEST(begins(refusal(json{{"model", "tiny"}}), "/account_id: is missing"));
  BOOST_TEST(begins(refusal(json{{"account_id", "team"}}), "/model: is missing"));
  BOOST_TEST(refusal("account_id", "me@example.org").find("e-mail") != std::string::npos);
  BOOST_TEST(begins(refusal("account_id", "a/b"), "/account_id:"));
  BOOST_TEST(begins(refusal("model", "accounts/a/tiny"), "/model:"));
  BOOST_TEST(begins(refusal("base_url", "api.fireworks.ai"), "/base_url:"));
  BOOST_TEST(begins(refusal("base_url", "https://key@host"), "/base_url: found a user name"));
  BOOST_TEST(refusal("base_url", "https://u:hush@host").find("hush") == std::string::npos);
  BOOST_TEST(begins(refusal("base_url", "https://"), "/base_url:"));
  BOOST_TEST(begins(refusal("mode", "bach"), "/mode:"));
  BOOST_TEST(begins(refusal("precision", "INT3"), "/precision:"));
  BOOST_TEST(begins(refusal("cleanup", "never"), "/cleanup:"));
  BOOST_TEST(begins(refusal("poll_s", 0), "/poll_s:"));
  BOOST_TEST(begins(refusal("max_continuations", -1), "/max_continuations:"));
  json slower = good();
  slower["poll_s"] = 30;
  slower["poll_max_s"] = 20;
  BOOST_TEST(begins(refusal(slower), "/poll_max_s:"));
  json realtime = good();
  realtime["mode"] = "realtime";
  realtime["precision"] = "FP8";
  BOOST_TEST(begins(refusal(realtime), "/precision:"));
}

BOOST_AUTO_TEST_CASE(models_have_one_name_however_they_are_written) {
  BOOST_TEST(model_resource("gpt-oss-120b") == "accounts/fireworks/models/gpt-oss-120b");
  BOOST_TEST(model_resource("accounts/me/models/m1") == "accounts/me/models/m1");
  BOOST_TEST(model_resource("accounts/me/deployedModels/m1") == "accounts/me/models/m1");
  BOOST_TEST(model_resource("models/m1").empty());
  BOOST_TEST(model_resource("accounts/me/models/").empty());
  BOOST_TEST(model_resource("accounts/me/models/a/b").empty());
}

BOOST_AUTO_TEST_CASE(names_are_legal_stable_and_never_shared) {
  const std::string long_key(300, 'k');
  for (const std::string& id :
       {job_id("key", "hash"), job_id(long_key, ""), dataset_id("K/ä|1", "hash"),
        continuation_id(job_id("key", "hash"), 16)}) {
    BOOST_TEST(id.size() <= 63u);
    BOOST_TEST(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    BOOST_TEST((id.front() >= 'a' && id.front() <= 'z'));
  }
  BOOST_TEST(job_id("key", "hash") == job_id("key", "hash"));
  // D17: two long names that begin alike gave one id.
  BOOST_TEST(job_id(long_key + "1", "h") != job_id(long_key + "2", "h"));
  BOOST_TEST(job_id("key", "h1") != job_id("key", "h2"));
  BOOST_TEST(job_id("ab", "c") != job_id("a", "bc"));
  BOOST_TEST(dataset_id("key", "hash") != job_id("key", "hash"));
  BOOST_TEST(continuation_id("j", 0) == "j");
  BOOST_TEST(continuation_id("j", 2) == "j-c2");
  // Fixed for ever: a job that runs at the provider is looked up by it.
  BOOST_TEST(job_id("key", "hash") == "psw-job-ef33e370ba045d007389f15dd7eea6a4d05c7ff1");
  BOOST_TEST(last_segment("accounts/a/datasets/x") == "x");
  BOOST_TEST(last_segment("x") == "x");
}

BOOST_AUTO_TEST_CASE(a_token_comes_back_as_it_was_written) {
  const Token token{"j", "d", "o", 2, "team"};
  const auto back = read_token(write_token(token));
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->job == "j");
  BOOST_TEST(back->dataset == "d");
  BOOST_TEST(back->output == "o");
  BOOST_TEST(back->continuations == 2u);
  BOOST_TEST(back->account == "team");
  for (const char* other :
       {"", "job-000001", "{}", R"({"version":2,"job":"j"})", R"({"version":1,"job":""})", "[1]"}) {
    BOOST_TEST(!read_token(other).has_value(), other);
  }
}
