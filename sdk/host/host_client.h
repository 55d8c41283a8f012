// SPDX-License-Identifier: Apache-2.0
// A plugin in a process of its own. The plugin may abort, hang, leak or be killed: that ends this
// process and nothing else, every call then fails with PSW_E_UNAVAILABLE of scope INSTANCE, and
// death() says what happened.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/instance.h"

namespace promptsweep::host {

// promptsweep-host: PROMPTSWEEP_HOST, else beside this program, else ../libexec/promptsweep/ or
// ../bin/ from there.
std::optional<std::filesystem::path> find_host_program();

struct HostOptions {
  std::filesystem::path program;  // promptsweep-host
  std::filesystem::path library;
  Services services;
  // A line that the process wrote to its standard output or error. On a thread of the client.
  std::function<void(std::string_view line)> output;
};

class HostProcess : public Instance {
 public:
  // Starts the process, which loads the library. A refused library's sentence is in the message;
  // one that crashes while it is loaded is refused too.
  static CallStatus start(HostOptions options, std::unique_ptr<HostProcess>* out);

  virtual const Description& description() const = 0;
  virtual std::int64_t pid() const = 0;
  virtual CallStatus validate(std::string_view config_json) = 0;
  // nullopt in *out: the plugin cannot tell.
  virtual CallStatus estimate(std::string_view config_json, std::optional<ResourceNeed>* out) = 0;
  // Once. The Instance's calls work after it succeeded. It ends early when services.should_stop
  // says so, and with the process's death when it takes longer than the plugin's create_bound_ms.
  virtual CallStatus create(std::string_view config_json) = 0;

  // Set once the process is gone: "killed by signal 9 (Killed)", with its last words.
  virtual std::optional<std::string> death() const = 0;
  // Requests that had begun and not ended when it died (or now).
  struct Begun {
    psw_job job;
    std::uint64_t request_index;
  };
  virtual std::vector<Begun> begun() const = 0;
  // Ends the process; `why` becomes part of its death's sentence.
  virtual void kill(const std::string& why) = 0;
};

}  // namespace promptsweep::host
