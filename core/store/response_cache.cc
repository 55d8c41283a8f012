// SPDX-License-Identifier: Apache-2.0
#include "store/response_cache.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/digest.h"
#include "base/env.h"
#include "store/database.h"
#include "store/response_cache_schema.h"

namespace promptsweep {
namespace {

// Keys, numbers and indexes of a row, roughly.
constexpr std::int64_t fixed_row_bytes = 300;

constexpr char row_columns[] =
    "outcome, finish_reason, model, prompt_tokens, prompt_tokens_evaluated, completion_tokens, "
    "remote_id, seed_honoured, finished_unix_us, text, row_sha256";

// The connection's own table: filling it locks nobody out.
constexpr char staging_schema[] =
    "CREATE TEMP TABLE IF NOT EXISTS staged(key TEXT PRIMARY KEY NOT NULL, again INTEGER NOT NULL, "
    "outcome, finish_reason, model, prompt_tokens, prompt_tokens_evaluated, completion_tokens, "
    "remote_id, seed_honoured, finished_unix_us, text, row_sha256, bytes) WITHOUT ROWID";

// Which rows a CachePrune means: ?1 time or NULL, ?2 bytes or NULL, ?3 model or NULL.
constexpr char pruned_keys[] =
    "SELECT key FROM (SELECT r.key, r.used_unix_us, a.model AS of_model, SUM(r.bytes) OVER "
    "(ORDER BY r.used_unix_us DESC, r.key) AS total FROM responses r JOIN arms a USING(arm)) "
    "WHERE used_unix_us < ?1 OR total > ?2 OR of_model = ?3";

std::string digest_of(const std::string& key, const ResultRow& row) {
  FieldHash fields;
  const auto add = [&](const std::optional<std::int64_t>& number) {
    fields.add(number ? std::to_string(*number) : std::string("null"));
  };
  fields.add(key).add(to_string(row.outcome)).add(row.finish_reason).add(row.model);
  add(row.prompt_tokens);
  add(row.prompt_tokens_evaluated);
  add(row.completion_tokens);
  fields.add(row.remote_id);
  add(row.seed_honoured ? std::optional<std::int64_t>(*row.seed_honoured) : std::nullopt);
  fields.add(row.finished_unix_us).add(row.text);
  return sha256_hex(fields.bytes());
}

class SqliteResponseCache final : public ResponseCache {
 public:
  explicit SqliteResponseCache(Database database) : database_(std::move(database)) {}

  Result<std::int64_t> enter_arm(const CacheArm& arm,
                                 const std::function<Status(const Put&)>& rows) override;
  Result<std::optional<ResultRow>> find(const std::string& key) override;
  Result<CacheInfo> info() override;
  Result<CacheRemoval> would_prune(const CachePrune& rules) override;
  Result<CacheRemoval> prune(const CachePrune& rules) override;
  Status verify() override;

 private:
  Status check_writable() const {
    if (database_.writable()) return ok;
    return Error{Code::state, database_.path().string() + ": opened for reading only"};
  }
  Status stage(const std::function<Status(const Put&)>& rows) const;
  Status stage_row(Statement& insert, const std::string& key, const ResultRow& row) const;
  Status copy_staged(const CacheArm& arm, std::int64_t& entered) const;
  Result<ResultRow> read_row(const std::string& key, const Statement& row, int first) const;

  const Database database_;
  std::optional<Statement> select_;  // asked for every request of an arm
};

Status SqliteResponseCache::stage_row(Statement& insert, const std::string& key,
                                      const ResultRow& row) const {
  if (!is_cacheable(row.outcome)) {
    return Error{Code::data, database_.path().string() + ": a result that is " +
                                 std::string(to_string(row.outcome)) + " is not cached"};
  }
  const auto bytes =
      fixed_row_bytes +
      static_cast<std::int64_t>(row.text.size() + row.model.size() + row.remote_id.size());
  return insert
      .bind(key, row.cached, to_string(row.outcome), row.finish_reason, row.model,
            row.prompt_tokens, row.prompt_tokens_evaluated, row.completion_tokens, row.remote_id,
            row.seed_honoured, row.finished_unix_us, row.text, digest_of(key, row), bytes)
      .run();
}

Status SqliteResponseCache::stage(const std::function<Status(const Put&)>& rows) const {
  if (Status made = database_.execute(staging_schema); !made) return made;
  if (Status emptied = database_.execute("DELETE FROM temp.staged"); !emptied) return emptied;
  Result<Statement> insert = database_.prepare(
      "INSERT OR IGNORE INTO temp.staged VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
      "?13, ?14)");
  if (!insert) return std::move(insert).error();
  return rows([&](const std::string& key, const ResultRow& row) -> Status {
    return stage_row(*insert, key, row);
  });
}

Status SqliteResponseCache::copy_staged(const CacheArm& arm, std::int64_t& entered) const {
  const std::int64_t now = unix_us_now();
  Status touched = database_.execute(
      "UPDATE responses SET used_unix_us = MAX(used_unix_us, ?1) WHERE key IN "
      "(SELECT key FROM temp.staged)",
      now);
  if (!touched) return touched;
  Status named = database_.execute(
      "INSERT INTO arms(arm_id, run_id, backend, model, engine_identity, entered_unix_us) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
      arm.arm_id, arm.run_id, arm.backend, arm.model, arm.engine_identity, now);
  if (!named) return named;
  Status copied = database_.execute(
      "INSERT OR IGNORE INTO responses SELECT key, (SELECT MAX(arm) FROM arms), outcome, "
      "finish_reason, model, prompt_tokens, prompt_tokens_evaluated, completion_tokens, remote_id, "
      "seed_honoured, finished_unix_us, text, row_sha256, bytes, ?1 FROM temp.staged "
      "WHERE again = 0",
      now);
  if (!copied) return copied;
  entered = database_.changed_rows();
  if (entered > 0) return ok;
  return database_.execute("DELETE FROM arms WHERE arm = (SELECT MAX(arm) FROM arms)");
}

Result<std::int64_t> SqliteResponseCache::enter_arm(const CacheArm& arm,
                                                    const std::function<Status(const Put&)>& rows) {
  if (Status writable = check_writable(); !writable) return std::move(writable).error();
  // Without a transaction each staged row would be one; this one touches no shared page.
  if (Status begun = database_.execute("BEGIN DEFERRED"); !begun) return std::move(begun).error();
  Status staged = stage(rows);
  Status closed = database_.execute(staged ? "COMMIT" : "ROLLBACK");
  if (!staged) return std::move(staged).error();
  if (!closed) return std::move(closed).error();
  std::int64_t entered = 0;
  Status copied = database_.transaction([&]() -> Status { return copy_staged(arm, entered); });
  static_cast<void>(database_.execute("DELETE FROM temp.staged"));  // the next one empties it too
  if (!copied) return std::move(copied).error();
  return entered;
}

Result<ResultRow> SqliteResponseCache::read_row(const std::string& key, const Statement& row,
                                                int first) const {
  const std::optional<Outcome> outcome = outcome_from(row.text(first));
  ResultRow out;
  out.outcome = outcome.value_or(Outcome::missing);
  out.finish_reason = row.text(first + 1);
  out.model = row.text(first + 2);
  out.prompt_tokens = row.optional_integer(first + 3);
  out.prompt_tokens_evaluated = row.optional_integer(first + 4);
  out.completion_tokens = row.optional_integer(first + 5);
  out.remote_id = row.text(first + 6);
  if (const auto honoured = row.optional_integer(first + 7)) out.seed_honoured = *honoured != 0;
  out.finished_unix_us = row.integer(first + 8);
  out.text = row.text(first + 9);
  if (!is_cacheable(out.outcome) || digest_of(key, out) != row.text(first + 10)) {
    return Error{Code::data, database_.path().string() + ": the cached answer " + key +
                                 " is not what was stored; remove the file or run without it"};
  }
  out.attempts = 0;
  out.cached = true;
  return out;
}

Result<std::optional<ResultRow>> SqliteResponseCache::find(const std::string& key) {
  if (!select_) {
    Result<Statement> prepared =
        database_.prepare(std::string("SELECT ") + row_columns + " FROM responses WHERE key = ?1");
    if (!prepared) return std::move(prepared).error();
    select_ = std::move(prepared).value();
  }
  const Result<bool> found = select_->bind(key).step();
  Result<std::optional<ResultRow>> out{std::optional<ResultRow>()};
  if (!found) {
    out = found.error();
  } else if (*found) {
    Result<ResultRow> row = read_row(key, *select_, 0);
    if (row) {
      out = std::optional<ResultRow>(std::move(row).value());
    } else {
      out = std::move(row).error();
    }
  }
  select_->reset();  // ends its read transaction
  return out;
}

Result<CacheInfo> SqliteResponseCache::info() {
  CacheInfo out;
  Status read = database_.for_each_row(
      "SELECT a.backend, a.model, a.engine_identity, COUNT(*), SUM(r.bytes), MIN(r.used_unix_us), "
      "MAX(r.used_unix_us), COUNT(DISTINCT a.arm) FROM responses r JOIN arms a USING(arm) "
      "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
      [&](const Statement& row) -> Status {
        CacheInfo::Engine engine{row.text(0), row.text(1), row.text(2), row.integer(3),
                                 row.integer(4)};
        out.rows += engine.rows;
        out.bytes += engine.bytes;
        out.engines.push_back(std::move(engine));
        out.oldest_use_unix_us =
            std::min(out.oldest_use_unix_us.value_or(row.integer(5)), row.integer(5));
        out.newest_use_unix_us =
            std::max(out.newest_use_unix_us.value_or(row.integer(6)), row.integer(6));
        out.arms += row.integer(7);
        return ok;
      });
  if (!read) return std::move(read).error();
  return out;
}

Result<CacheRemoval> SqliteResponseCache::would_prune(const CachePrune& rules) {
  CacheRemoval out;
  Status counted = database_.for_each_row(
      std::string("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM responses WHERE key IN (") +
          pruned_keys + ")",
      [&](const Statement& row) -> Status {
        out = {row.integer(0), row.integer(1)};
        return ok;
      },
      rules.used_before_unix_us, rules.max_bytes, rules.model);
  if (!counted) return std::move(counted).error();
  return out;
}

Result<CacheRemoval> SqliteResponseCache::prune(const CachePrune& rules) {
  if (Status writable = check_writable(); !writable) return std::move(writable).error();
  CacheRemoval out;
  Status removed = database_.transaction([&]() -> Status {
    Result<CacheRemoval> counted = would_prune(rules);
    if (!counted) return std::move(counted).error();
    out = *counted;
    Status deleted =
        database_.execute(std::string("DELETE FROM responses WHERE key IN (") + pruned_keys + ")",
                          rules.used_before_unix_us, rules.max_bytes, rules.model);
    if (!deleted) return deleted;
    return database_.execute("DELETE FROM arms WHERE arm NOT IN (SELECT arm FROM responses)");
  });
  if (!removed) return std::move(removed).error();
  // Only a convenience: it fails while another process reads, and the next prune does it.
  if (out.rows > 0) static_cast<void>(database_.execute("VACUUM"));
  return out;
}

Status SqliteResponseCache::verify() {
  if (Status sound = database_.verify(); !sound) return sound;
  return database_.for_each_row(std::string("SELECT key, ") + row_columns + " FROM responses",
                                [&](const Statement& row) -> Status {
                                  const Result<ResultRow> read = read_row(row.text(0), row, 1);
                                  return read ? Status(ok) : Status(read.error());
                                });
}

// Two processes must not make the file at the same time: a new database has one temporary name.
Result<Database> open_shared(const std::filesystem::path& path) {
  std::error_code failed;
  if (std::filesystem::exists(path, failed)) {
    return Database::open(path, response_cache_format, Access::read_write);
  }
  if (Status made = make_folders(path.parent_path()); !made) return std::move(made).error();
  std::filesystem::path lock_path = path;
  lock_path += ".lock";
  constexpr int tries = 500;
  for (int i = 0; i < tries; ++i) {
    Result<std::optional<FileLock>> lock = FileLock::try_take(lock_path, "making it", nullptr);
    if (!lock) return std::move(lock).error();
    if (*lock) return Database::open(path, response_cache_format, Access::read_write);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return Error{Code::state, path.string() + ": another process is making the response cache"};
}

}  // namespace

std::string response_cache_key(const ResponseKeyParts& parts) {
  FieldHash fields;
  fields.add("promptsweep response 1").add(parts.content_sha256);
  fields.add(parts.seed_is_sent ? std::to_string(parts.seed) : std::string("none"));
  fields.add(std::int64_t{parts.sample_index});
  fields.add(parts.backend).add(parts.answer_options).add(parts.engine_identity);
  return sha256_hex(fields.bytes());
}

bool is_cacheable_identity(std::string_view engine_identity) {
  return !engine_identity.empty() && engine_identity != "{}" &&
         engine_identity.find("dry-run") == std::string_view::npos;
}

bool is_cacheable(Outcome outcome) { return outcome == Outcome::ok || is_behaviour(outcome); }

Result<std::unique_ptr<ResponseCache>> ResponseCache::open(const std::filesystem::path& path) {
  Result<Database> database = open_shared(path);
  if (!database) return std::move(database).error();
  return std::unique_ptr<ResponseCache>(
      std::make_unique<SqliteResponseCache>(std::move(database).value()));
}

Result<std::unique_ptr<ResponseCache>> ResponseCache::open_read_only(
    const std::filesystem::path& path) {
  Result<Database> database = Database::open(path, response_cache_format, Access::read_only);
  if (!database) return std::move(database).error();
  return std::unique_ptr<ResponseCache>(
      std::make_unique<SqliteResponseCache>(std::move(database).value()));
}

}  // namespace promptsweep
