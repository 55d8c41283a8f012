// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <promptsweep/options.h>

#include <nlohmann/json.hpp>

namespace openai {

using psw::lines::refuse_option;

namespace {

std::vector<std::string> key_names() {
  std::vector<std::string> names = nlohmann::json::parse(secrets_json);
  names.insert(names.begin(), "none");
  return names;
}

void set_urls(Options& options, const std::string& written) {
  if (written.empty()) refuse_option("base_url", "is missing; name the server's URL");
  const auto url = psw::lines::normal_url(written, 0);
  if (!url) {
    // Before an @ may stand a password.
    refuse_option("base_url", (written.find('@') == std::string::npos ? "found \"" + written + "\""
                                                                      : "found a user name") +
                                  "; allowed is an URL of http or https without user name");
  }
  const bool has_path = url->find('/', url->find("://") + 3) != std::string::npos;
  options.api_url = has_path ? *url : *url + "/v1";
  options.root_url = options.api_url;
  constexpr std::string_view version = "/v1";
  if (options.root_url.ends_with(version))
    options.root_url.resize(options.root_url.size() - version.size());
}

// What the line or another option says may not be said twice.
void check_extra(const std::string& extra) {
  for (const char* key :
       {"model", "messages", "prompt", "max_tokens", "max_completion_tokens", "temperature",
        "top_p", "top_k", "stop", "seed", "stream", "n", "logprobs", "top_logprobs", "n_predict"}) {
    if (nlohmann::json::parse(extra).contains(key)) {
      refuse_option("extra_body", std::string("found ") + key +
                                      ", which is said by the configuration of the sweep or by "
                                      "another option");
    }
  }
}

}  // namespace

Options parse_options(std::string_view config_json) {
  Options options;
  psw::lines::OptionReader reader(config_json, "openai_compatible");
  std::string written;
  reader.text("base_url", written);
  reader.text("model", options.model);
  if (options.model.empty()) refuse_option("model", "is missing; name it as the server lists it");
  std::string key = "none";
  reader.choice("api_key", key, key_names());
  if (key != "none") options.api_key = key;
  reader.choice("dialect", options.dialect,
                {"auto", "openai", "llama_server", "vllm", "lm_studio", "generic"});
  reader.integer("max_concurrent_requests", options.max_concurrent_requests, 1, 4096);
  reader.boolean("adaptive", options.adaptive);
  reader.boolean("cache_prompt", options.cache_prompt);
  reader.object("extra_body", options.extra_body);
  int logprobs = 0;
  reader.integer("logprobs", logprobs, 0, 20);
  if (reader.has("logprobs")) options.logprobs = logprobs;
  reader.integer("timeout_s", options.timeout_s, 1, 86400);
  reader.integer("retry_after_max_s", options.retry_after_max_s, 0, 86400);
  reader.nothing_else();
  set_urls(options, written);
  check_extra(options.extra_body);
  return options;
}

}  // namespace openai
