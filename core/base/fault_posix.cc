// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#ifdef PROMPTSWEEP_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace promptsweep {
namespace {

struct Plan {
  long kill_at = 0;  // 0: never
  int trace = -1;
  Plan() {
    if (const char* at = std::getenv("PROMPTSWEEP_FAULT_AT")) kill_at = std::atol(at);
    if (const char* path = std::getenv("PROMPTSWEEP_FAULT_TRACE"))
      trace = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  }
};

}  // namespace

void fault_point(const char* name) {
  static const Plan plan;
  static std::atomic<long> passed{0};
  if (plan.kill_at == 0 && plan.trace < 0) return;
  const long now = ++passed;
  if (plan.trace >= 0) {
    const std::string line = std::string(name) + "\n";
    if (::write(plan.trace, line.data(), line.size()) < 0) std::abort();
  }
  if (now == plan.kill_at) ::kill(::getpid(), SIGKILL);
}

}  // namespace promptsweep

#endif
