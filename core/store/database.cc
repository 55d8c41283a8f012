// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <system_error>
#include <thread>

#include "base/env.h"

namespace promptsweep {
namespace {

// Long enough for another process' recovery or checkpoint of a large log.
constexpr int busy_timeout_ms = 20'000;

Error sqlite_error(sqlite3* handle, const std::string& path) {
  const int primary = sqlite3_errcode(handle) & 0xff;
  std::string text = path + ": " + sqlite3_errmsg(handle);
  switch (primary) {
    case SQLITE_FULL:
      return {Code::resource,
              path + ": no space is left on the disk; free some, then run the same command again"};
    case SQLITE_NOMEM:
      return {Code::resource, std::move(text)};
    case SQLITE_IOERR: {
      const int number = sqlite3_system_errno(handle);
      if (number != 0) text += std::string(" (") + std::strerror(number) + ")";
      const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
      return {full ? Code::resource : Code::io, std::move(text)};
    }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::data, path + ": the file is damaged: " + sqlite3_errmsg(handle)};
    case SQLITE_CONSTRAINT:
      return {Code::data, std::move(text)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::state, path + ": another process holds the file"};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Code::io, std::move(text)};
    default:
      return {Code::internal, std::move(text)};
  }
}

std::uint32_t big_endian(const unsigned char* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

bool has_write_ahead_log(const std::filesystem::path& path) {
  std::filesystem::path log = path;
  log += "-wal";
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(log, failed);
  return !failed && size > 0;
}

// The header of an SQLite file: https://www.sqlite.org/fileformat.html, section 1.3.
Status check_header(const std::filesystem::path& path, const DatabaseFormat& format) {
  const std::string name = path.string();
  const auto damaged = [&](const std::string& how) {
    return Error{Code::data,
                 name + ": the " + format.kind + " is damaged: " + how + " (it is left as it is)"};
  };
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  if (failed) return Error{Code::io, "cannot read " + name + ": " + failed.message()};
  std::array<unsigned char, 100> header{};
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{Code::io, "cannot read " + name};
  in.read(reinterpret_cast<char*>(header.data()), header.size());
  if (size == 0) return damaged("it is empty");
  if (std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    return Error{Code::data, name + ": this is no " + format.kind + " (it is left as it is)"};
  }
  if (size < header.size()) return damaged("its first page is cut short");
  if (big_endian(&header[68], 4) != format.application_id) {
    return Error{Code::data, name + ": this database is no " + format.kind +
                                 " of promptsweep (it is left as it is)"};
  }
  const auto version = static_cast<int>(big_endian(&header[60], 4));
  if (version > format.version || version < 1) {
    return Error{Code::unsupported, name + ": made by a newer promptsweep (format " +
                                        std::to_string(version) + "; this one knows format " +
                                        std::to_string(format.version) +
                                        "): use the newer program"};
  }
  if (has_write_ahead_log(path)) return ok;  // the log may hold what the file lacks
  const std::uint32_t raw_page = big_endian(&header[16], 2);
  const std::uintmax_t page = raw_page == 1 ? 65536 : raw_page;
  const std::uintmax_t pages = big_endian(&header[28], 4);
  if (page == 0 || size % page != 0 || size < pages * page) {
    return damaged("it has " + std::to_string(size) + " bytes, its header says " +
                   std::to_string(pages * page));
  }
  return ok;
}

// While the last of other processes closes the file, its size, header and log are those of
// different moments. Real damage stays.
Status check_settled_header(const std::filesystem::path& path, const DatabaseFormat& format) {
  constexpr int tries = 3;
  Status checked = check_header(path, format);
  for (int i = 1; i < tries && !checked && checked.error().code == Code::data; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    checked = check_header(path, format);
  }
  return checked;
}

// SQLite's URI form, for immutable=1.
std::string file_uri(const std::filesystem::path& path) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out = "file:";
  for (char c : std::filesystem::absolute(path).string()) {
    if (c == '?' || c == '#' || c == '%') {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + "?immutable=1";
}

}  // namespace

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::bind_one(int index, std::string_view value) {
  // A null pointer would bind NULL instead of the empty text.
  const char* data = value.empty() ? "" : value.data();
  const int code =
      sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Statement::bind_one(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(handle_, index, value);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Statement::bind_one(int index, double value) {
  const int code = sqlite3_bind_double(handle_, index, value);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Statement::bind_null(int index) {
  const int code = sqlite3_bind_null(handle_, index);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  bind_error_ = SQLITE_OK;
}

Result<bool> Statement::step() {
  sqlite3* const handle = sqlite3_db_handle(handle_);
  const char* const file = sqlite3_db_filename(handle, "main");
  const std::string path = file != nullptr ? file : "";
  if (bind_error_ != SQLITE_OK) {
    return Error{Code::internal, path + ": " + sqlite3_errstr(bind_error_)};
  }
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_error(handle, path);
}

Status Statement::run() {
  // A write outside a transaction is a transaction of its own.
  const bool commits = sqlite3_stmt_readonly(handle_) == 0 &&
                       sqlite3_get_autocommit(sqlite3_db_handle(handle_)) != 0;
  if (commits) fault_point("write.before");
  Result<bool> row = step();
  while (row && *row) row = step();
  if (commits) fault_point("write.after");
  if (!row) {
    Error failed = std::move(row).error();
    reset();
    return failed;
  }
  reset();
  return ok;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

double Statement::real(int column) const { return sqlite3_column_double(handle_, column); }

std::string Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::optional<double> Statement::optional_real(int column) const {
  if (is_null(column)) return std::nullopt;
  return real(column);
}

Result<Database> Database::connect(const std::filesystem::path& path, Access access, int flags) {
  const std::string name = access == Access::immutable ? file_uri(path) : path.string();
  if (access == Access::immutable) flags |= SQLITE_OPEN_URI;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle, path, access);  // closes the handle on every way out
  if (code != SQLITE_OK) return database.error();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  return database;
}

Status Database::create(const std::filesystem::path& path, const DatabaseFormat& format) {
  if (Status made = make_folders(path.parent_path()); !made) return made;
  std::filesystem::path temporary = path;
  temporary += ".new";
  std::error_code failed;
  for (const char* rest : {"", "-journal"}) {  // of a creation that was cut off
    std::filesystem::path leftover = temporary;
    leftover += rest;
    std::filesystem::remove(leftover, failed);
  }
  {
    Result<Database> database =
        connect(temporary, Access::read_only, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (!database) return std::move(database).error();
    const std::string script = std::string("PRAGMA synchronous=FULL; BEGIN;") + format.schema +
                               ";PRAGMA application_id=" + std::to_string(format.application_id) +
                               ";PRAGMA user_version=" + std::to_string(format.version) +
                               ";COMMIT;PRAGMA journal_mode=WAL;";
    if (sqlite3_exec(database->handle_, script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      return database->error();
    }
  }
  return rename_durably(temporary, path);
}

Result<Database> Database::open(const std::filesystem::path& path, const DatabaseFormat& format,
                                Access access) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) {
    if (access != Access::read_write) {
      return Error{Code::not_found, path.string() + ": there is no " + format.kind + " here"};
    }
    if (Status created = create(path, format); !created) return std::move(created).error();
  }
  if (Status checked = check_settled_header(path, format); !checked) {
    return std::move(checked).error();
  }
  const bool writes = access == Access::read_write;
  // Readers too open the file for writing where they may, and then let SQLite refuse their writes:
  // one that cannot write leaves SQLite's side files behind when it is the last to close.
  Result<Database> database = connect(
      path, access, access == Access::immutable ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  if (!database) return database;
  const char* settings = writes ? "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
                                  "PRAGMA foreign_keys=ON;PRAGMA wal_autocheckpoint=4000;"
                                  // Ids are random: with SQLite's 2 MB a large arm would write a
                                  // page of its index for nearly every row.
                                  "PRAGMA cache_size=-16384;"
                                : "PRAGMA query_only=ON;";
  if (sqlite3_exec(database->handle_, settings, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return database->error();
  }
  // The first read finds damage, a hopeless log or a folder in which no log index can be made.
  const Result<std::int64_t> tables = database->integer_of("SELECT COUNT(*) FROM sqlite_schema");
  if (tables) return database;
  if (access == Access::read_only && tables.error().code == Code::io &&
      !has_write_ahead_log(path)) {
    return open(path, format, Access::immutable);
  }
  return tables.error();
}

Database::~Database() {
  if (handle_ == nullptr) return;
  // A failure here costs nothing: the log stays beside the file and the next opener replays it.
  if (writable()) static_cast<void>(checkpoint());
  sqlite3_close_v2(handle_);
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) !=
      SQLITE_OK) {
    return error();
  }
  return Statement(statement);
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(handle_); }

Status Database::checkpoint() const {
  if (sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) !=
      SQLITE_OK) {
    return error();
  }
  return ok;
}

Status Database::verify() const {
  const Result<std::optional<std::string>> found = text_of("PRAGMA integrity_check(1)");
  if (!found) return found.error();
  if (*found != "ok") {
    return Error{Code::data, path_.string() + ": the file is damaged: " + found->value_or("")};
  }
  const Result<std::optional<std::string>> orphan = text_of("PRAGMA foreign_key_check");
  if (!orphan) return orphan.error();
  if (*orphan) {
    return Error{Code::data, path_.string() + ": a row of " + **orphan + " refers to nothing"};
  }
  return ok;
}

Error Database::error() const { return sqlite_error(handle_, path_.string()); }

void Database::roll_back() const {
  // SQLite has rolled back by itself after some errors (disk full); then this fails harmlessly.
  if (sqlite3_get_autocommit(handle_) == 0) {
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace promptsweep
