// SPDX-License-Identifier: Apache-2.0
// Starts a host process, prints its own pid and the host's, and waits to be killed.
// usage: host_holder PLUGIN.so CONFIG_JSON
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "host/host_client.h"

using namespace promptsweep::host;

int main(int, char** arguments) {
  HostOptions options;
  options.program = find_host_program().value();
  options.library = arguments[1];
  std::unique_ptr<HostProcess> process;
  if (!HostProcess::start(std::move(options), &process)) return 1;
  if (!process->create(arguments[2])) return 1;
  std::printf("%ld %ld\n", static_cast<long>(::getpid()), static_cast<long>(process->pid()));
  std::fflush(stdout);
  ::pause();
}
