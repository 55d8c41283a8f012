// SPDX-License-Identifier: Apache-2.0
// A phase makes files from recorded inputs. It is done when its recorded input hash equals today's
// and its files are what it wrote; never because a file exists or is young.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "run/observer.h"
#include "store/run_store.h"

namespace promptsweep {

struct PhaseOutput {
  std::filesystem::path path;  // absolute
  std::string sha256;
};

struct Phase {
  std::string name;     // prepare, build, submit, poll, parse, score, stats, costs, report
  std::string subject;  // trial slug, or "run"
  std::string input_hash;
  std::function<Result<std::vector<PhaseOutput>>()> execute;
};

// Executes what is not done, in order, and records it. Stops at the first error.
Status run_phases(RunStore& run, const std::vector<Phase>& phases, Observer& observer);

}  // namespace promptsweep
