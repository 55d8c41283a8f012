// SPDX-License-Identifier: Apache-2.0
// The tables of the response cache. FORMAT.md says what they mean.
#pragma once

#include "store/database.h"

namespace promptsweep {

inline constexpr DatabaseFormat response_cache_format{"response cache", 0x50535743 /* PSWC */, 1,
                                                      R"sql(
CREATE TABLE arms(
  arm INTEGER PRIMARY KEY,
  arm_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  backend TEXT NOT NULL,
  model TEXT NOT NULL,
  engine_identity TEXT NOT NULL,
  entered_unix_us INTEGER NOT NULL
);

CREATE TABLE responses(
  key TEXT PRIMARY KEY NOT NULL,
  arm INTEGER NOT NULL REFERENCES arms(arm),
  outcome TEXT NOT NULL CHECK(outcome IN ('ok', 'truncated', 'empty', 'filtered')),
  finish_reason TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt_tokens INTEGER,
  prompt_tokens_evaluated INTEGER,
  completion_tokens INTEGER,
  remote_id TEXT NOT NULL,
  seed_honoured INTEGER,
  finished_unix_us INTEGER NOT NULL,
  text TEXT NOT NULL,
  row_sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  used_unix_us INTEGER NOT NULL
);
CREATE INDEX responses_by_use ON responses(used_unix_us);
)sql"};

}  // namespace promptsweep
