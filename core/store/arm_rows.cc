// SPDX-License-Identifier: Apache-2.0
#include "store/arm_rows.h"

#include <cmath>
#include <iterator>

#include "base/digest.h"
#include "records/decoding.h"

namespace promptsweep {
namespace {

std::string_view to_string(Disposition disposition) {
  switch (disposition) {
    case Disposition::accepted:
      return "accepted";
    case Disposition::transient:
      return "transient";
    case Disposition::duplicate:
      return "duplicate";
  }
  return "";
}

TaskType type_from(const std::string& name) {
  // The table's CHECK admits the two names only.
  return task_type_from(name).value_or(TaskType::closed_book);
}

}  // namespace

RequestRow request_from(const Statement& row, int first) {
  return {.request_id = row.text(first),
          .custom_id = row.text(first + 1),
          .item_key = row.text(first + 2),
          .sample_index = static_cast<int>(row.integer(first + 3)),
          .type = type_from(row.text(first + 4)),
          .seed = static_cast<std::uint32_t>(row.integer(first + 5)),
          .content_sha256 = row.text(first + 6),
          .position = row.integer(first + 7)};
}

const char* const accepted_columns =
    "q.request_id, q.custom_id, q.item_key, q.sample_index, q.type, q.seed, q.content_sha256, "
    "q.position, r.attempt, r.outcome, r.finish_reason, r.error, r.model, r.prompt_tokens, "
    "r.prompt_tokens_evaluated, r.completion_tokens, r.remote_id, r.seed_honoured, r.latency_ms, "
    "r.finished_unix_us, r.attempts, r.cached, r.job_id, r.timings_json, r.text, "
    "s.request_id, s.em, s.f1, s.abstained, s.false_answer, s.unsupported";

bool has_result(const Statement& row, int first) { return !row.is_null(first + 8); }

Status read_accepted(const Statement& row, int first, ArmStore::AcceptedResult& out) {
  out.request = request_from(row, first);
  int at = first + 8;
  out.attempt = static_cast<int>(row.integer(at));
  const std::string outcome_name = row.text(at + 1);
  const std::optional<Outcome> outcome = outcome_from(outcome_name);
  if (!outcome) return Error{Code::data, "unknown outcome \"" + outcome_name + "\""};
  ResultRow& result = out.result;
  result.request_id = out.request.request_id;
  result.outcome = *outcome;
  result.finish_reason = row.text(at + 2);
  result.error = row.text(at + 3);
  result.model = row.text(at + 4);
  result.prompt_tokens = row.optional_integer(at + 5);
  result.prompt_tokens_evaluated = row.optional_integer(at + 6);
  result.completion_tokens = row.optional_integer(at + 7);
  result.remote_id = row.text(at + 8);
  if (!row.is_null(at + 9)) result.seed_honoured = row.integer(at + 9) != 0;
  result.latency_ms = row.optional_real(at + 10);
  result.finished_unix_us = row.integer(at + 11);
  result.attempts = static_cast<int>(row.integer(at + 12));
  result.cached = row.integer(at + 13) != 0;
  result.job_id = row.text(at + 14);
  result.timings_json = row.text(at + 15);
  result.text = row.text(at + 16);
  at += 17;
  if (row.is_null(at)) return ok;
  out.score = Score{.em = row.real(at + 1),
                    .f1 = row.optional_real(at + 2),
                    .abstained = row.integer(at + 3) != 0,
                    .false_answer = row.optional_real(at + 4),
                    .unsupported = row.optional_real(at + 5)};
  return ok;
}

JobRow job_from(const Statement& row) {
  return {.job_id = row.text(0),
          .type = type_from(row.text(1)),
          .state = row.text(2),
          .requests_file = row.text(3),
          .requests_sha256 = row.text(4),
          .resume_token = row.text(5),
          .numerics_json = row.text(6),
          .request_count = row.integer(7),
          .created_unix_us = row.integer(8)};
}

std::string result_digest(const ResultRow& r) {
  // No number is written as nothing, so an absent one cannot be taken for another.
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : std::string();
  };
  // SQLite stores NaN as NULL.
  const bool measured = r.latency_ms && !std::isnan(*r.latency_ms);
  FieldHash hash;
  hash.add(r.request_id).add(to_string(r.outcome)).add(r.text).add(r.finish_reason).add(r.error);
  hash.add(r.model).add(number(r.prompt_tokens)).add(number(r.prompt_tokens_evaluated));
  hash.add(number(r.completion_tokens)).add(r.remote_id);
  hash.add(r.seed_honoured ? (*r.seed_honoured ? "true" : "false") : "");
  hash.add(measured ? format_number(*r.latency_ms) : "").add(r.finished_unix_us);
  hash.add(std::int64_t{r.attempts}).add(r.cached ? "true" : "false").add(r.job_id);
  hash.add(r.timings_json);
  return sha256_hex(hash.bytes());
}

Status add_digest_column(const Database& database) {
  const Result<std::int64_t> there = database.integer_of(
      "SELECT COUNT(*) FROM pragma_table_info('results') WHERE name = 'digest'");
  if (!there) return there.error();
  if (*there != 0) return ok;
  return database.execute("ALTER TABLE results ADD COLUMN digest TEXT NOT NULL DEFAULT ''");
}

Status find_damaged_results(const Database& database, const DifferenceSink& found) {
  const std::string file = database.path().string();
  const Result<std::int64_t> there = database.integer_of(
      "SELECT COUNT(*) FROM pragma_table_info('results') WHERE name = 'digest'");
  if (!there) return there.error();
  if (*there == 0) {
    found({file, "", "made by an older program: its results have no digests", "", ""});
    return ok;
  }
  return database.for_each_row(
      std::string("SELECT r.digest, ") + accepted_columns + of_results + " ORDER BY q.position",
      [&](const Statement& row) -> Status {
        ArmStore::AcceptedResult accepted;
        const Status read = read_accepted(row, 1, accepted);
        const std::string stored = row.text(0);
        const std::string name =
            "request " + accepted.request.request_id + " (" + accepted.request.custom_id + ")";
        if (!read) {
          found({file, name, "the stored response makes no sense: " + read.error().text, "", ""});
          return ok;
        }
        const std::string digest = result_digest(accepted.result);
        if (digest == stored) return ok;
        found({file, name,
               stored.empty() ? "the stored response has no digest"
                              : "the stored response is not what was written: its digest differs",
               stored, digest});
        return ok;
      });
}

Status count_progress(const Database& database, ArmProgress& out) {
  const Result<std::int64_t> expected = database.integer_of("SELECT COUNT(*) FROM requests");
  if (!expected) return expected.error();
  out.expected = *expected;
  Status counted =
      database.for_each_row("SELECT outcome, COUNT(*) FROM results GROUP BY outcome",
                            [&](const Statement& row) -> Status {
                              const std::optional<Outcome> outcome = outcome_from(row.text(0));
                              if (!outcome)
                                return Error{Code::data, "unknown outcome \"" + row.text(0) + "\""};
                              out.accepted += row.integer(1);
                              if (*outcome == Outcome::ok) out.ok = row.integer(1);
                              out.outcomes.emplace_back(*outcome, row.integer(1));
                              return ok;
                            });
  if (!counted) return std::move(counted).error().in(database.path().string());
  const Result<std::int64_t> in_jobs = database.integer_of(
      "SELECT COUNT(*) FROM job_requests j WHERE j.open = 1 AND NOT EXISTS"
      "(SELECT 1 FROM results r WHERE r.request_id = j.request_id)");
  if (!in_jobs) return in_jobs.error();
  out.in_jobs = *in_jobs;
  const Result<std::optional<std::string>> store_id =
      database.text_of("SELECT value FROM meta WHERE key = 'store_id'");
  if (!store_id) return store_id.error();
  out.store_id = store_id->value_or("");
  return ok;
}

Status insert_job(const Database& database, const JobRow& job,
                  const std::vector<std::string>& ids) {
  const std::string where = database.path().string() + ": job " + job.job_id;
  const Result<std::int64_t> known =
      database.integer_of("SELECT COUNT(*) FROM jobs WHERE job_id = ?1", job.job_id);
  if (!known) return known.error();
  if (*known != 0) return Error{Code::state, where + " is recorded already"};
  Status inserted = database.execute(
      "INSERT INTO jobs(job_id, type, state, requests_file, requests_sha256, resume_token, "
      "numerics_json, request_count, created_unix_us) VALUES(?,?,'intended',?,?,?,?,?,?)",
      job.job_id, to_string(job.type), job.requests_file, job.requests_sha256, job.resume_token,
      job.numerics_json, std::ssize(ids), job.created_unix_us);
  if (!inserted) return inserted;
  // Free requests go in with one statement each (a unique index keeps a second open job out); what
  // is not free is looked at for its reason.
  Result<Statement> insert = database.prepare(
      "INSERT OR IGNORE INTO job_requests SELECT ?1, ?2, q.request_id, 1 FROM requests q"
      " WHERE q.request_id = ?3 AND q.type = ?4"
      " AND NOT EXISTS(SELECT 1 FROM results r WHERE r.request_id = q.request_id)");
  if (!insert) return std::move(insert).error();
  Result<Statement> check = database.prepare(
      "SELECT q.type, EXISTS(SELECT 1 FROM results r WHERE r.request_id = q.request_id),"
      " (SELECT j.job_id FROM job_requests j WHERE j.request_id = q.request_id AND j.open = 1)"
      " FROM requests q WHERE q.request_id = ?1");
  if (!check) return std::move(check).error();
  const auto refusal = [&](Code code, const std::string& id, const std::string& says) {
    return Error{code, where + ": request " + id + says};
  };
  std::int64_t line = 0;
  for (const std::string& id : ids) {
    Status done = insert->bind(job.job_id, line++, id, to_string(job.type)).run();
    if (!done) return done;
    if (database.changed_rows() == 1) continue;
    const Result<bool> found = check->bind(id).step();
    if (!found) return found.error();
    if (!*found) return refusal(Code::data, id, " is unknown");
    if (check->text(0) != to_string(job.type)) {
      return refusal(Code::data, id, " is of the other task type");
    }
    if (check->integer(1) != 0) {
      return refusal(Code::state, id, " has an accepted result");
    }
    if (!check->is_null(2)) {
      return refusal(Code::state, id, " is in the open job " + check->text(2));
    }
    return refusal(Code::internal, id, " was not taken, and nothing says why");
  }
  return ok;
}

Status insert_results(const Database& database, const std::vector<BufferedResult>& group) {
  // The attempt's number is taken from the table, so that it is right after any restart.
  Result<Statement> attempt = database.prepare(
      "INSERT INTO attempts SELECT ?1, COALESCE(MAX(attempt), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
      " ?9, ?10, ?11, ?12 FROM attempts WHERE request_id = ?1 RETURNING attempt");
  if (!attempt) return std::move(attempt).error();
  Result<Statement> result = database.prepare(
      "INSERT INTO results VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
      " ?16, ?17, ?18, ?19)");
  if (!result) return std::move(result).error();
  for (const BufferedResult& buffered : group) {
    const ResultRow& r = buffered.row;
    const Result<bool> tried =
        attempt
            ->bind(r.request_id, to_string(buffered.disposition), to_string(r.outcome), r.error,
                   r.prompt_tokens, r.completion_tokens, r.remote_id, r.latency_ms,
                   r.finished_unix_us, r.attempts, r.cached, r.job_id)
            .step();
    if (!tried) return tried.error();
    const std::int64_t number = attempt->integer(0);
    attempt->reset();
    if (buffered.disposition != Disposition::accepted) continue;
    Status accepted =
        result
            ->bind(r.request_id, number, to_string(r.outcome), r.finish_reason, r.error, r.model,
                   r.prompt_tokens, r.prompt_tokens_evaluated, r.completion_tokens, r.remote_id,
                   r.seed_honoured, r.latency_ms, r.finished_unix_us, r.attempts, r.cached,
                   r.job_id, r.timings_json, r.text, result_digest(r))
            .run();
    if (!accepted) return accepted;
  }
  return ok;
}

Status insert_scores(const Database& database,
                     const std::vector<std::pair<std::string, Score>>& by_request_id) {
  Result<Statement> known = database.prepare("SELECT 1 FROM results WHERE request_id = ?1");
  if (!known) return std::move(known).error();
  Result<Statement> insert =
      database.prepare("INSERT OR REPLACE INTO scores VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
  if (!insert) return std::move(insert).error();
  for (const auto& [id, score] : by_request_id) {
    const Result<bool> found = known->bind(id).step();
    if (!found) return found.error();
    if (!*found) {
      return Error{Code::data, database.path().string() + ": a score for request " + id +
                                   ", which has no accepted result"};
    }
    Status done =
        insert->bind(id, score.em, score.f1, score.abstained, score.false_answer, score.unsupported)
            .run();
    if (!done) return done;
  }
  return ok;
}

Status check_rules(const Database& database) {
  struct Rule {
    const char* broken;  // selects a request or job that breaks it
    const char* says;
  };
  // The first four are the tables' own CHECKs, which SQLite forgets on a file opened for reading.
  static constexpr Rule rules[] = {
      {"SELECT request_id FROM requests WHERE type NOT IN ('closed', 'open')",
       "has a task type that does not exist"},
      {"SELECT request_id FROM attempts WHERE disposition NOT IN "
       "('accepted', 'transient', 'duplicate')",
       "has an attempt whose disposition does not exist"},
      {"SELECT job_id FROM jobs WHERE type NOT IN ('closed', 'open')",
       "is a job of a task type that does not exist"},
      {"SELECT job_id FROM jobs WHERE state NOT IN ('intended', 'submitted', 'terminal')",
       "is a job of a state that does not exist"},
      {"SELECT r.request_id FROM results r WHERE NOT EXISTS(SELECT 1 FROM attempts a WHERE "
       "a.request_id = r.request_id AND a.attempt = r.attempt AND a.disposition = 'accepted')",
       "has a result without its attempt"},
      {"SELECT a.request_id FROM attempts a WHERE a.disposition = 'accepted' AND NOT EXISTS"
       "(SELECT 1 FROM results r WHERE r.request_id = a.request_id AND r.attempt = a.attempt)",
       "has an accepted attempt without its result"},
      {"SELECT r.request_id FROM results r JOIN attempts a ON a.request_id = r.request_id AND "
       "a.attempt = r.attempt WHERE a.outcome IS NOT r.outcome OR a.error IS NOT r.error OR "
       "a.prompt_tokens IS NOT r.prompt_tokens OR a.completion_tokens IS NOT r.completion_tokens "
       "OR a.remote_id IS NOT r.remote_id OR a.latency_ms IS NOT r.latency_ms OR "
       "a.finished_unix_us IS NOT r.finished_unix_us OR a.attempts IS NOT r.attempts OR "
       "a.cached IS NOT r.cached OR a.job_id IS NOT r.job_id",
       "has a result that differs from its attempt"},
      {"SELECT j.job_id FROM jobs j WHERE j.request_count <> (SELECT COUNT(*) FROM job_requests q "
       "WHERE q.job_id = j.job_id)",
       "is a job whose number of requests is wrong"},
      {"SELECT q.request_id FROM job_requests q JOIN jobs j ON j.job_id = q.job_id WHERE q.open <> "
       "(j.state <> 'terminal')",
       "is held by a job that has ended"},
  };
  for (const Rule& rule : rules) {
    const Result<std::optional<std::string>> found = database.text_of(rule.broken);
    if (!found) return found.error();
    if (*found) {
      return Error{Code::data, database.path().string() + ": " + **found + " " + rule.says};
    }
  }
  return ok;
}

}  // namespace promptsweep
