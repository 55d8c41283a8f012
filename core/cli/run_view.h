// SPDX-License-Identifier: Apache-2.0
// Pieces of what `list`, `status`, `show` and `clean` say of a run.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "store/catalog.h"

namespace promptsweep {

std::string count_text(const ArmProgress& progress);     // "96/480"
std::string outcomes_text(const ArmProgress& progress);  // "90 ok, 6 truncated"; empty: none
std::string bytes_text(std::uintmax_t bytes);            // "12.3 MB"
// "complete", "incomplete", "superseded".
std::string trial_state(const RunOverview& run, const TrialSpec& trial);
// One sentence: what to do next.
std::string next_step(const RunOverview& run);
// The command that made the run, ready for a shell.
std::string command_text(const std::string& command_line_json);
// Bytes of a plugin as one printable line of at most 80 characters.
std::string token_text(const std::string& token);
// A sentence of what last went wrong; empty: nothing did.
std::string last_error_text(const RunOverview& run);

// {"done", "expected", "in_jobs", "outcomes": {...}}
nlohmann::json progress_json(const ArmProgress& progress);
// run_id, state, recorded_state, running_by, created_at, folder, config_sha256, problem.
nlohmann::json summary_json(const RunSummary& run);
// What `status --json` prints.
nlohmann::json status_json(const RunOverview& run);
nlohmann::json job_json(const RunOverview& run, const ArmOverview& arm, const JobRow& job);
// A stored JSON document; null where there is none.
nlohmann::json parsed(const std::string& document);
// Indented, with a line's end; bytes that are no UTF-8 become U+FFFD.
std::string printed(const nlohmann::json& document);

}  // namespace promptsweep
