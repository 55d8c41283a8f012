// SPDX-License-Identifier: Apache-2.0
// Taking things away from an experiments folder: by a rename first, so that a crash leaves nothing
// half removed under a name that somebody reads. The caller holds the run's writer lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "records/plan.h"

namespace promptsweep {

// The plan without its superseded trials and without the arms that only those use.
RunPlan without_superseded(RunPlan plan);

// What lies in a run's folder and belongs to no trial or arm of `plan`: folders and files of trials
// that an edit replaced. A folder that holds the store of an arm of `plan` is not among them, only
// what lies beside it.
Result<std::vector<std::filesystem::path>> unplanned_paths(const std::filesystem::path& run_folder,
                                                           const RunPlan& plan);

// Things in `folder` whose removal was cut off.
Result<std::vector<std::filesystem::path>> removal_leftovers(const std::filesystem::path& folder);

// Renames to ".removing-NAME" beside it, then deletes. Code::io names what could not be deleted.
Status remove_aside(const std::filesystem::path& path);

// Bytes of the regular files below (links are not followed).
Result<std::uintmax_t> size_on_disk(const std::filesystem::path& path);

}  // namespace promptsweep
