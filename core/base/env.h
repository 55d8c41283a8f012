// SPDX-License-Identifier: Apache-2.0
// The operating system: files, locks, clocks, signals. env_posix.cc is the one file of core/ that
// calls it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace promptsweep {

Result<std::string> read_file(const std::filesystem::path& path);

// Replaces `path` by `bytes` so that a reader or a crash sees the old file or the new one, whole:
// temporary file beside it, fsync, rename, fsync of the folder. Creates missing folders.
Status write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

// Creates the folder and its parents, and makes them durable.
Status make_folders(const std::filesystem::path& path);

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

// A lock that dies with its process (flock). Not copied, held until destroyed.
class FileLock {
 public:
  // Takes the lock on `path` (created when absent) without waiting. nullopt: another process
  // holds it; `owner_note` of that process is then in *holder. The note (pid, host, what) is
  // written into the file for people.
  static Result<std::optional<FileLock>> try_take(const std::filesystem::path& path,
                                                  std::string_view owner_note, std::string* holder);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

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
// Leaves at once, without destructors. Async-signal-safe.
[[noreturn]] void leave_now(int exit_code);
// Where this program's file lies; used to find installed plugins and the host process.
std::filesystem::path executable_path();

}  // namespace promptsweep
