// SPDX-License-Identifier: Apache-2.0
// A thin layer over SQLite for the store's files. Errors are values that name the file.
//
// Threads: one Database and its Statements are used by one thread at a time; the owner serialises.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/fault.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace promptsweep {

// A prepared statement. Bound text is not copied: it must live until the statement has been
// stepped to its end or reset. The first error of a bind is returned by the next step().
class Statement {
 public:
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  Statement(Statement&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), bind_error_(other.bind_error_) {}
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  // Binds ?1, ?2, ... after a reset.
  template <class... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }

  Result<bool> step();  // true: a row stands ready
  Status run();         // to the end, then reset
  void reset();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;  // every byte, embedded NULs included
  std::optional<std::int64_t> optional_integer(int column) const;
  std::optional<double> optional_real(int column) const;

 private:
  void bind_one(int index, std::string_view value);
  void bind_one(int index, const std::string& value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, const char* value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, std::int64_t value);
  void bind_one(int index, int value) { bind_one(index, std::int64_t{value}); }
  void bind_one(int index, bool value) { bind_one(index, std::int64_t{value ? 1 : 0}); }
  void bind_one(int index, double value);
  void bind_null(int index);
  template <class T>
  void bind_one(int index, const std::optional<T>& value) {
    if (value) {
      bind_one(index, *value);
    } else {
      bind_null(index);
    }
  }

  sqlite3_stmt* handle_ = nullptr;
  int bind_error_ = 0;
};

// What a file must be: checked before SQLite touches it, so that a foreign, damaged or newer file
// is refused and left exactly as it is.
struct DatabaseFormat {
  const char* kind;              // in messages: "arm store"
  std::uint32_t application_id;  // in the file's header
  int version;                   // user_version that this program writes; older ones it reads
  const char* schema;            // SQL that makes an empty database of this version
};

enum class Access {
  read_write,  // created when absent
  read_only,   // beside a writer or after a crash; the last to close tidies the log away
  immutable,   // nobody writes it any more: needs no right to write beside the file
};

class Database {
 public:
  // A new file is made under a temporary name and renamed when it is whole: an existing file is
  // never half made, so an empty one is damage.
  static Result<Database> open(const std::filesystem::path& path, const DatabaseFormat& format,
                               Access access);
  Database(Database&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)),
        path_(std::move(other.path_)),
        access_(other.access_) {}
  Database& operator=(Database&&) = delete;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  // Writers move the write-ahead log into the file: a closed store is one file.
  ~Database();

  const std::filesystem::path& path() const { return path_; }
  bool writable() const { return access_ == Access::read_write; }

  Result<Statement> prepare(std::string_view sql) const;

  // One statement without rows.
  template <class... Values>
  Status execute(std::string_view sql, const Values&... values) const {
    Result<Statement> statement = prepare(sql);
    if (!statement) return std::move(statement).error();
    return statement->bind(values...).run();
  }

  // Calls visit(statement) for each row; visit returns Status and ends the loop by an error.
  template <class Visit, class... Values>
  Status for_each_row(std::string_view sql, Visit visit, const Values&... values) const {
    Result<Statement> statement = prepare(sql);
    if (!statement) return std::move(statement).error();
    statement->bind(values...);
    while (true) {
      const Result<bool> row = statement->step();
      if (!row) return row.error();
      if (!*row) return ok;
      if (Status visited = visit(std::as_const(*statement)); !visited) return visited;
    }
  }

  // The first column of the first row; nullopt without a row.
  template <class... Values>
  Result<std::optional<std::string>> text_of(std::string_view sql, const Values&... values) const {
    Result<Statement> statement = prepare(sql);
    if (!statement) return std::move(statement).error();
    const Result<bool> row = statement->bind(values...).step();
    if (!row) return row.error();
    return *row ? std::optional<std::string>(statement->text(0)) : std::nullopt;
  }
  template <class... Values>
  Result<std::int64_t> integer_of(std::string_view sql, const Values&... values) const {
    Result<Statement> statement = prepare(sql);
    if (!statement) return std::move(statement).error();
    const Result<bool> row = statement->bind(values...).step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : std::int64_t{0};
  }

  // Runs body() as one transaction: committed when it returns ok, else rolled back.
  template <class Body>
  Status transaction(Body body) const {
    if (Status begun = execute("BEGIN IMMEDIATE"); !begun) return begun;
    Status done = body();
    fault_point("commit.before");
    if (done) done = execute("COMMIT");
    fault_point("commit.after");
    if (!done) roll_back();
    return done;
  }

  std::int64_t changed_rows() const;  // by the latest statement
  // Moves the write-ahead log into the file. Code::state while a reader holds it back.
  Status checkpoint() const;
  // SQLite's integrity and foreign-key checks.
  Status verify() const;

 private:
  Database(sqlite3* handle, std::filesystem::path path, Access access)
      : handle_(handle), path_(std::move(path)), access_(access) {}
  static Result<Database> connect(const std::filesystem::path& path, Access access, int flags);
  static Status create(const std::filesystem::path& path, const DatabaseFormat& format);
  Error error() const;
  void roll_back() const;

  sqlite3* handle_;
  std::filesystem::path path_;
  Access access_;
};

// While it lives, many small reads share one read transaction, which saves locking the file for
// each. Reads go on without it where none can be begun. No write may happen meanwhile.
class ReadTransaction {
 public:
  explicit ReadTransaction(const Database& database)
      : database_(database), begun_(bool(database.execute("BEGIN"))) {}
  ~ReadTransaction() {
    if (begun_) static_cast<void>(database_.execute("COMMIT"));
  }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  const Database& database_;
  const bool begun_;
};

}  // namespace promptsweep
