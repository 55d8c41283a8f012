// SPDX-License-Identifier: Apache-2.0
// The tables of a run's store. FORMAT.md says what they mean.
#pragma once

#include "store/database.h"

namespace promptsweep {

inline constexpr DatabaseFormat run_format{"run store", 0x50535752 /* PSWR */, 1, R"sql(
CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE engines(
  position INTEGER PRIMARY KEY,
  engine_id TEXT NOT NULL UNIQUE,
  document TEXT NOT NULL
);

CREATE TABLE arms(
  position INTEGER PRIMARY KEY,
  arm_id TEXT NOT NULL UNIQUE,
  items_sha256 TEXT NOT NULL,
  document TEXT NOT NULL
);

CREATE TABLE trials(
  position INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  superseded INTEGER NOT NULL,
  document TEXT NOT NULL
);

CREATE TABLE blocks(
  position INTEGER PRIMARY KEY,
  arm_id TEXT NOT NULL REFERENCES arms(arm_id),
  type TEXT NOT NULL CHECK(type IN ('closed', 'open')),
  first INTEGER NOT NULL,
  count INTEGER NOT NULL
);

CREATE TABLE items(
  items_sha256 TEXT NOT NULL,
  position INTEGER NOT NULL,
  item_key TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY(items_sha256, position)
) WITHOUT ROWID;

CREATE TABLE phases(
  phase TEXT NOT NULL,
  subject TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  outputs_json TEXT NOT NULL,
  finished_at TEXT NOT NULL,
  PRIMARY KEY(phase, subject)
) WITHOUT ROWID;
)sql"};

inline constexpr char run_database_name[] = "run.sqlite";
inline constexpr char writer_lock_name[] = ".run.lock";
inline constexpr char checksums_name[] = "SHA256SUMS";

}  // namespace promptsweep
