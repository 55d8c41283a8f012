// SPDX-License-Identifier: Apache-2.0
#include "backend/start_host.h"

namespace promptsweep {

Result<std::unique_ptr<host::HostProcess>> start_host(
    const std::filesystem::path& library, host::Services services,
    std::function<void(std::string_view line)> output, const Redactor& redactor) {
  const auto program = host::find_host_program();
  if (!program) {
    return Error{Code::not_found,
                 "promptsweep-host is missing: it belongs beside this program or in "
                 "../libexec/promptsweep; PROMPTSWEEP_HOST may name it"};
  }
  host::HostOptions options;
  options.program = *program;
  options.library = library;
  options.services = std::move(services);
  options.output = std::move(output);
  std::unique_ptr<host::HostProcess> process;
  const host::CallStatus started = host::HostProcess::start(std::move(options), &process);
  if (!started) return to_error(started, redactor);
  return process;
}

}  // namespace promptsweep
