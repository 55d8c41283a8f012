// SPDX-License-Identifier: Apache-2.0
// The operating system: files, locks, clocks, signals. env_posix.cc is the one file of core/ that
// calls it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace promptsweep {

Result<std::string> read_file(const std::filesystem::path& path);

// Replaces `path` by `bytes` so that a reader or a crash sees the old file or the new one, whole:
// temporary file beside it, fsync, rename, fsync of the folder. Creates missing folders.
Status write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

// Creates the folder and its parents, and makes them durable.
Status make_folders(const std::filesystem::path& path);

// Makes the bytes of a file that another program wrote durable.
Status sync_file(const std::filesystem::path& path);

// Renames a file that is already synced, replacing `to`, and makes the new name durable.
Status rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// write_file_atomic for bytes that come piece by piece: append, then commit. Destroyed without a
// commit it leaves the old file as it was.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  Status append(std::string_view bytes);
  Status commit();  // once; append no more afterwards

 private:
  AtomicFile(int descriptor, std::filesystem::path path, std::filesystem::path temporary);
  Status write_buffer();

  int descriptor_ = -1;
  std::filesystem::path path_, temporary_;
  std::string buffer_;
};

// A file without a name, for what is too much for memory: it goes with its process, however that
// ends. Const calls may come from several threads at once.
class TemporaryFile {
 public:
  static Result<TemporaryFile> create();  // in the system's folder for temporary files
  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  std::uint64_t size() const { return size_; }
  Status append(std::string_view bytes);
  // Code::io where the file has fewer than offset + size bytes.
  Result<std::string> read(std::uint64_t offset, std::size_t size) const;

 private:
  explicit TemporaryFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// A lock that dies with its process (flock). Not copied, held until destroyed.
class FileLock {
 public:
  // Takes the lock on `path` (created when absent); waits at most 50 ms. nullopt: another process
  // holds it; `owner_note` of that process is then in *holder. The note (pid, host, what) is
  // written into the file for people.
  static Result<std::optional<FileLock>> try_take(const std::filesystem::path& path,
                                                  std::string_view owner_note, std::string* holder);
  // The note of the process that holds the lock on `path` (empty when it wrote none yet); nullopt:
  // nobody does. For readers: writes nothing and needs no right to write.
  static Result<std::optional<std::string>> holder(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

struct ProgramEnd {
  int exit_code = 0;  // 128 + the signal's number when a signal ended it
  std::string output, errors;
};
// Runs a program that PATH finds, with nothing on its standard input, and waits for its end.
// Code::not_found: there is no such program.
Result<ProgramEnd> run_program(const std::vector<std::string>& arguments);

// Now, UTC, RFC 3339 with milliseconds: 2026-05-04T12:34:56.789Z.
std::string utc_now();
// The same for a given time.
std::string utc_from_unix_us(std::int64_t unix_us);
std::int64_t unix_us_now();
// Monotonic, for durations.
std::int64_t monotonic_us();

// "pid 1234 on host name", for lock notes.
std::string process_note();
std::optional<std::string> environment(const char* name);
bool stderr_is_terminal();
// Free memory of this machine in bytes (what a new process could use without swapping).
Result<std::uint64_t> available_memory_bytes();
// The most memory that another process of this machine has held so far.
Result<std::uint64_t> peak_memory_bytes_of(std::int64_t process_id);

// A library of the system, opened at run time and left open: nothing is built against it.
class SharedLibrary {
 public:
  // nullopt: there is none of that name, or it does not load.
  static std::optional<SharedLibrary> open(const std::string& name);
  void* symbol(const char* name) const;  // nullptr: it has no such symbol

 private:
  explicit SharedLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};
// Calls `handler` (async-signal-safe code only) at SIGINT and SIGTERM.
void on_interrupt(void (*handler)(int));
// A write beyond the largest allowed file size becomes an error of the write; by default the system
// ends the program.
void survive_file_size_limit();
// Leaves at once, without destructors. Async-signal-safe.
[[noreturn]] void leave_now(int exit_code);
// Where this program's file lies; used to find installed plugins and the host process.
std::filesystem::path executable_path();

}  // namespace promptsweep
