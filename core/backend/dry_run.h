// SPDX-License-Identifier: Apache-2.0
// A backend that pretends: one made-up answer a request, no engine, no plugin, no secret. For
// walking a configuration through every phase. What it gives is marked in each text and in its
// identity; the core keeps it in runs of their own (records/plan.h, is_dry_run).
#pragma once

#include <memory>

#include "backend/backend.h"

namespace promptsweep {

inline constexpr const char* dry_run_identity = R"({"engine":"dry-run"})";

// Jobs end as soon as they are submitted. Token counts are absent: nothing was counted.
std::unique_ptr<Backend> make_dry_run_backend();

}  // namespace promptsweep
