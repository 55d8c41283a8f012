// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <promptsweep/options.h>

#include <regex>

namespace ollama {

using psw::lines::refuse_option;

Options parse_options(std::string_view config_json) {
  Options options;
  psw::lines::OptionReader reader(config_json, "local_ollama");
  std::string written = options.base_url;
  reader.text("base_url", written);
  reader.text("model", options.model);
  if (options.model.empty()) refuse_option("model", "is missing; name it as `ollama list` does");
  reader.integer("num_ctx", options.num_ctx, 32, 16777216);
  reader.integer("num_gpu", options.num_gpu, -1, 100000);
  reader.integer("num_batch", options.num_batch, 0, 65536);
  reader.integer("num_thread", options.num_thread, 0, 1024);
  reader.integer("max_concurrent_requests", options.max_concurrent_requests, 1, 256);
  reader.text("keep_alive", options.keep_alive);
  reader.boolean("unload_at_end", options.unload_at_end);
  reader.choice("think", options.think, {"off", "on", "low", "medium", "high"});
  std::string format = "chat";
  reader.choice("prompt_format", format, {"chat", "raw"});
  options.raw_prompt = format == "raw";
  reader.boolean("stream", options.stream);
  reader.integer("timeout_s", options.timeout_s, 1, 86400);
  reader.integer("retry_after_max_s", options.retry_after_max_s, 0, 86400);
  reader.nothing_else();

  const auto url = psw::lines::normal_url(written, 11434);
  if (!url) {
    // Before an @ may stand a password.
    refuse_option("base_url", (written.find('@') == std::string::npos ? "found \"" + written + "\""
                                                                      : "found a user name") +
                                  "; allowed is http://HOST:PORT or HOST:PORT, without user name");
  }
  options.base_url = *url;
  static const std::regex duration("-?([0-9]+(\\.[0-9]+)?(ms|s|m|h))+");
  if (!std::regex_match(options.keep_alive, duration)) {
    refuse_option("keep_alive", "found \"" + options.keep_alive +
                                    "\"; allowed is a duration such as 90s, 30m or 24h, or -1s");
  }
  return options;
}

}  // namespace ollama
