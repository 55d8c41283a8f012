// SPDX-License-Identifier: Apache-2.0
// Rows of an arm's store to records and back. The caller holds the database and, for the inserts,
// an open transaction.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "records/difference.h"
#include "store/arm_store.h"
#include "store/database.h"
#include "store/group_commit.h"

namespace promptsweep {

// Of `requests q`, as request_from reads them.
inline constexpr char request_columns[] =
    "q.request_id, q.custom_id, q.item_key, q.sample_index, q.type, q.seed, q.content_sha256, "
    "q.position";
RequestRow request_from(const Statement& row, int first);

// Of requests q, results r and scores s, as read_accepted reads them; then the tables, where every
// request has its row (`of_requests`) or those with an accepted result only.
extern const char* const accepted_columns;
inline constexpr char of_results[] =
    " FROM requests q JOIN results r ON r.request_id = q.request_id "
    "LEFT JOIN scores s ON s.request_id = q.request_id";
inline constexpr char of_requests[] =
    " FROM requests q LEFT JOIN results r ON r.request_id = q.request_id "
    "LEFT JOIN scores s ON s.request_id = q.request_id";
// Whether the row of `of_requests` has a result.
bool has_result(const Statement& row, int first);
Status read_accepted(const Statement& row, int first, ArmStore::AcceptedResult& out);

inline constexpr char job_columns[] =
    "job_id, type, state, requests_file, requests_sha256, resume_token, numerics_json, "
    "request_count, created_unix_us";
JobRow job_from(const Statement& row);

// What `results.digest` holds: SHA-256 over the request's id and every stored member of its result.
std::string result_digest(const ResultRow& row);
// A store of before that column gets it, empty.
Status add_digest_column(const Database& database);
// Every accepted result that is not what was written, in item order.
Status find_damaged_results(const Database& database, const DifferenceSink& found);

Status count_progress(const Database& database, ArmProgress& out);
Status insert_job(const Database& database, const JobRow& job, const std::vector<std::string>& ids);
Status insert_results(const Database& database, const std::vector<BufferedResult>& group);
Status insert_scores(const Database& database,
                     const std::vector<std::pair<std::string, Score>>& by_request_id);
// What the tables must satisfy beyond their own constraints (FORMAT.md, "Rules").
Status check_rules(const Database& database);

}  // namespace promptsweep
