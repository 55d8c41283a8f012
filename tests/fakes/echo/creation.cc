// SPDX-License-Identifier: Apache-2.0
#include "creation.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "answers.h"

namespace echo {

void load_pretended_model(const Options& options, const psw::Host& host) {
  constexpr std::uint32_t slice_ms = 10;
  for (std::uint32_t passed = 0; passed < options.create_delay_ms; passed += slice_ms) {
    host.progress(passed, options.create_delay_ms, "loading");
    if (host.should_stop()) throw psw::Error(PSW_E_CANCELLED, "stopped while loading");
    std::this_thread::sleep_for(std::chrono::milliseconds(slice_ms));
  }
  psw::Error error(PSW_E_RESOURCE, "not enough memory (injected)");
  error.scope = PSW_SCOPE_INSTANCE;
  if (options.create_error == CreateError::resource) throw error;
  if (options.max_parallel != 0 && options.n_parallel > options.max_parallel) throw error;
  error.code = PSW_E_AUTH;
  error.text = "not allowed (injected)";
  if (options.create_error == CreateError::auth) throw error;
  if (options.create_error == CreateError::abort) std::abort();
}

std::string use_secret(const Options& options, const psw::Host& host) {
  if (!options.use_secret) return "";
  // Careless on purpose: the core must redact what a plugin blurts out.
  const std::string secret = host.secret("ECHO_TOKEN");
  host.log(PSW_LOG_WARN, "using the token " + secret);
  return std::to_string(hash_of(secret));
}

void note_event(const Options& options, const char* event, const std::string& detail) {
  if (options.event_log.empty()) return;
  std::ofstream(options.event_log, std::ios::app) << std::to_string(psw::unix_us_now()) + " " +
                                                         std::to_string(::getpid()) + " " + event +
                                                         " " + detail + "\n";
}

}  // namespace echo
