// SPDX-License-Identifier: Apache-2.0
// The plan and the pinned items as rows of run.sqlite. The caller holds the database and, for
// writing, an open transaction.
#pragma once

#include <string>
#include <vector>

#include "records/difference.h"
#include "records/item_source.h"
#include "records/plan.h"
#include "store/database.h"

namespace promptsweep {

Result<std::string> read_meta(const Database& database, const char* key);  // empty: not set
Status write_meta(const Database& database, const char* key, const std::string& value);

// An empty plan before the first write.
Result<RunPlan> read_plan(const Database& database);
// The same without its blocks, of which a large run has many.
Result<RunPlan> read_plan_outline(const Database& database);
// Replaces the recorded plan. Arms of `fresh_arms` go with the items of `plan`, the others stay
// with theirs.
Status replace_plan(const Database& database, const RunPlan& plan,
                    const std::vector<ArmSpec>& fresh_arms);

// How many items a pinned set has; 0: there is no such set.
Result<std::int64_t> count_items(const Database& database, const std::string& items_sha256);
// Adds a set of items unless it is there.
Status pin_items(const Database& database, const std::string& items_sha256,
                 const ItemSource& items);
// Every pinned item that makes no sense, and every set that is not the one its hash names.
Status find_damaged_items(const Database& database, const DifferenceSink& found);

}  // namespace promptsweep
