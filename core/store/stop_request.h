// SPDX-License-Identifier: Apache-2.0
// How one process asks another to stop a run: a file in the run's folder that names the holder of
// the writer's lock. A request for an earlier holder means nothing to the next one, so that a file
// that was left behind blocks nobody.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace promptsweep {

// What the writer's lock says about its holder, or said about its last one; empty: nobody ever.
std::string writer_note(const std::filesystem::path& run_folder);

// Is a process writing this run now? Creates nothing.
Result<bool> has_writer(const std::filesystem::path& run_folder);

// Asks the holder with this note to stop.
Status request_stop(const std::filesystem::path& run_folder, const std::string& writer);
// True: somebody asked the holder with this note to stop.
bool is_stop_requested(const std::filesystem::path& run_folder, const std::string& writer);
// Removes a request, whomever it is for.
void clear_stop_request(const std::filesystem::path& run_folder);

}  // namespace promptsweep
