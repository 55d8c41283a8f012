// SPDX-License-Identifier: Apache-2.0
// Drives a plugin's table in this process. The host process is built on it, and so is
// `isolation: inline`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "host/instance.h"
#include "host/loader.h"

namespace promptsweep::host {

inline psw_str to_str(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view view_of(const psw_str& s) {
  return s.data ? std::string_view(s.data, static_cast<std::size_t>(s.len)) : std::string_view();
}

// A psw_error for one call, with room for its text.
class ErrorBuffer {
 public:
  ErrorBuffer();
  ErrorBuffer(const ErrorBuffer&) = delete;
  ErrorBuffer& operator=(const ErrorBuffer&) = delete;
  psw_error* get() { return &error_; }
  // What a call that returned `code` says. REQUIRES: code != PSW_OK.
  CallStatus status(psw_status code) const;

 private:
  char text_[2048];
  psw_error error_{};
};

CallStatus validate_config(const psw_plugin_api& api, std::string_view config_json);
// nullopt in *out: the plugin cannot tell.
CallStatus estimate_resources(const psw_plugin_api& api, std::string_view config_json,
                              std::optional<ResourceNeed>* out);
CallStatus create_inline(const LoadedPlugin& plugin, std::string_view config_json,
                         Services services, std::unique_ptr<Instance>* out);

}  // namespace promptsweep::host
