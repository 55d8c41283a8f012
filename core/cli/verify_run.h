// SPDX-License-Identifier: Apache-2.0
// `verify` as a function: everything that a run folder holds against what its own records give.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/difference.h"
#include "run/verify.h"

namespace promptsweep {

struct VerifyReport {
  std::string run_id, state;
  VerifyCounts counts;
  std::int64_t items = 0;           // pinned, of the latest plan
  std::int64_t rendered_files = 0;  // made again and compared
  std::int64_t sealed_files = 0;    // compared with SHA256SUMS
  // At most 20 of one file are kept; `difference_count` counts all.
  std::vector<Difference> differences;
  std::int64_t difference_count = 0;
  std::vector<std::string> notes;  // what was not compared, and why
};

// Writes nothing into the run. `scratch`: a folder of the caller for files that are made again.
// Code::not_found: there is no run; Code::state: it is being written or has no plan; Code::
// unsupported: a newer program made it. Anything else that is wrong is a difference.
Result<VerifyReport> verify_run(const std::filesystem::path& run_folder,
                                const std::filesystem::path& scratch);

}  // namespace promptsweep
