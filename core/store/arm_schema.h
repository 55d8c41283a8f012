// SPDX-License-Identifier: Apache-2.0
// The tables of an arm's store. FORMAT.md says what they mean.
#pragma once

#include "store/database.h"

namespace promptsweep {

inline constexpr DatabaseFormat arm_format{"arm store", 0x50535741 /* PSWA */, 1, R"sql(
CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE requests(
  position INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL UNIQUE,
  custom_id TEXT NOT NULL,
  item_key TEXT NOT NULL,
  sample_index INTEGER NOT NULL,
  type TEXT NOT NULL CHECK(type IN ('closed', 'open')),
  seed INTEGER NOT NULL,
  content_sha256 TEXT NOT NULL
);

CREATE TABLE results(
  request_id TEXT PRIMARY KEY NOT NULL REFERENCES requests(request_id),
  attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  error TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt_tokens INTEGER,
  prompt_tokens_evaluated INTEGER,
  completion_tokens INTEGER,
  remote_id TEXT NOT NULL,
  seed_honoured INTEGER,
  latency_ms REAL,
  finished_unix_us INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  cached INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  timings_json TEXT NOT NULL,
  text TEXT NOT NULL,
  digest TEXT NOT NULL DEFAULT ''
);
CREATE INDEX results_by_outcome ON results(outcome);

CREATE TABLE attempts(
  request_id TEXT NOT NULL REFERENCES requests(request_id),
  attempt INTEGER NOT NULL,
  disposition TEXT NOT NULL CHECK(disposition IN ('accepted', 'transient', 'duplicate')),
  outcome TEXT NOT NULL,
  error TEXT NOT NULL,
  prompt_tokens INTEGER,
  completion_tokens INTEGER,
  remote_id TEXT NOT NULL,
  latency_ms REAL,
  finished_unix_us INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  cached INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  PRIMARY KEY(request_id, attempt)
) WITHOUT ROWID;
CREATE INDEX duplicates ON attempts(disposition) WHERE disposition = 'duplicate';

CREATE TABLE jobs(
  ordinal INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL CHECK(type IN ('closed', 'open')),
  state TEXT NOT NULL CHECK(state IN ('intended', 'submitted', 'terminal')),
  ended TEXT NOT NULL DEFAULT '',
  requests_file TEXT NOT NULL,
  requests_sha256 TEXT NOT NULL,
  resume_token BLOB NOT NULL,
  numerics_json TEXT NOT NULL,
  request_count INTEGER NOT NULL,
  created_unix_us INTEGER NOT NULL
);

CREATE TABLE job_requests(
  job_id TEXT NOT NULL REFERENCES jobs(job_id),
  line INTEGER NOT NULL,
  request_id TEXT NOT NULL REFERENCES requests(request_id),
  open INTEGER NOT NULL,
  PRIMARY KEY(job_id, line)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_job_a_request ON job_requests(request_id) WHERE open = 1;

CREATE TABLE scores(
  request_id TEXT PRIMARY KEY NOT NULL REFERENCES results(request_id),
  em REAL NOT NULL,
  f1 REAL,
  abstained INTEGER NOT NULL,
  false_answer REAL,
  unsupported REAL
);
)sql"};

}  // namespace promptsweep
