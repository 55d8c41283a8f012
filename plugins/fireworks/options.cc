// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <promptsweep/options.h>

#include <algorithm>
#include <vector>

namespace fireworks {
namespace {

using psw::lines::refuse_option;

const std::vector<std::string> precisions{"FP16",
                                          "FP8",
                                          "FP8_MM",
                                          "FP8_AR",
                                          "FP8_MM_KV_ATTN",
                                          "FP8_KV",
                                          "FP8_MM_V2",
                                          "FP8_V2",
                                          "FP8_MM_KV_ATTN_V2",
                                          "NF4",
                                          "FP4",
                                          "BF16",
                                          "FP4_BLOCKSCALED_MM",
                                          "FP4_MX_MOE"};

bool is_slug(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

void check_account(const std::string& account) {
  if (account.empty()) {
    refuse_option("account_id", "is missing; give the account's slug or set FIREWORKS_ACCOUNT_ID");
  }
  if (account.find('@') != std::string::npos) {
    refuse_option("account_id", "found \"" + account +
                                    "\", an e-mail address; allowed is the account's slug, which "
                                    "stands in the address of its pages at the provider");
  }
  if (!is_slug(account)) {
    refuse_option("account_id", "found \"" + account +
                                    "\"; allowed is a slug of letters, digits, '-', '_' and '.'");
  }
}

// Without a slash at the end.
std::string checked_url(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  const bool scheme = url.rfind("https://", 0) == 0 || url.rfind("http://", 0) == 0;
  const std::size_t host = url.find("//") + 2;
  if (!scheme || host >= url.size() || url.find_first_of(" ?#@", host) != std::string::npos) {
    // Before an @ may stand a password.
    refuse_option("base_url", (url.find('@') == std::string::npos ? "found \"" + url + "\""
                                                                  : "found a user name") +
                                  "; allowed is https://HOST or http://HOST:PORT");
  }
  return url;
}

}  // namespace

std::string model_resource(std::string_view name) {
  if (is_slug(name)) return "accounts/fireworks/models/" + std::string(name);
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const bool fits = parts.size() == 4 && parts[0] == "accounts" && is_slug(parts[1]) &&
                    (parts[2] == "models" || parts[2] == "deployedModels") && is_slug(parts[3]);
  return fits ? "accounts/" + parts[1] + "/models/" + parts[3] : "";
}

Options parse_options(std::string_view config_json) {
  psw::lines::OptionReader reader(config_json, "fireworks");
  Options options;
  reader.text("account_id", options.account_id);
  reader.text("model", options.model);
  reader.text("base_url", options.base_url);
  std::string mode = "batch", cleanup = "after_success";
  reader.choice("mode", mode, {"batch", "realtime"});
  reader.choice("precision", options.precision, precisions);
  reader.integer("max_concurrent_requests", options.max_concurrent_requests, 1, 4096);
  reader.integer("max_concurrent_jobs", options.max_concurrent_jobs, 1, 64);
  reader.number("poll_s", options.poll_s, 0.01, 3600);
  options.poll_max_s = std::max(options.poll_max_s, options.poll_s);
  reader.number("poll_max_s", options.poll_max_s, 0.01, 3600);
  reader.number("deadline_h", options.deadline_h, 0.0001, 240);
  reader.number("retry_after_max_s", options.retry_after_max_s, 0.01, 86400);
  reader.integer("max_continuations", options.max_continuations, 0, 16);
  reader.integer("upload_limit_bytes", options.upload_limit_bytes, 1, 524288000);
  reader.integer("timeout_s", options.timeout_s, 1, 86400);
  reader.choice("cleanup", cleanup, {"after_success", "keep", "always"});
  reader.nothing_else();

  options.realtime = mode == "realtime";
  options.cleanup = cleanup == "keep"     ? Cleanup::keep
                    : cleanup == "always" ? Cleanup::always
                                          : Cleanup::after_success;
  check_account(options.account_id);
  options.base_url = checked_url(options.base_url);
  if (options.model.empty()) refuse_option("model", "is missing; name a model of the provider");
  const std::string model = model_resource(options.model);
  if (model.empty()) {
    refuse_option("model", "found \"" + options.model +
                               "\"; allowed is a bare name or accounts/ACCOUNT/models/NAME");
  }
  options.model = model;
  if (options.poll_max_s < options.poll_s) {
    refuse_option("poll_max_s", "is below poll_s");
  }
  if (options.realtime && !options.precision.empty()) {
    refuse_option("precision", "is for batch jobs; the mode is realtime");
  }
  return options;
}

}  // namespace fireworks
