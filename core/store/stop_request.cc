// SPDX-License-Identifier: Apache-2.0
#include "store/stop_request.h"

#include <optional>

#include "base/env.h"
#include "store/run_schema.h"

namespace promptsweep {
namespace {

// Named as a lock is, so that a seal does not cover it.
constexpr char stop_request_name[] = ".stop.lock";

std::string read_note(const std::filesystem::path& path) {
  Result<std::string> text = read_file(path);
  if (!text) return "";
  std::string note = std::move(text).value();
  while (!note.empty() && note.back() == '\n') note.pop_back();
  return note;
}

}  // namespace

std::string writer_note(const std::filesystem::path& run_folder) {
  return read_note(run_folder / writer_lock_name);
}

Result<bool> has_writer(const std::filesystem::path& run_folder) {
  Result<std::optional<std::string>> holder = FileLock::holder(run_folder / writer_lock_name);
  if (!holder) return std::move(holder).error();
  return holder->has_value();
}

Status request_stop(const std::filesystem::path& run_folder, const std::string& writer) {
  return write_file_atomic(run_folder / stop_request_name, writer + "\n");
}

bool is_stop_requested(const std::filesystem::path& run_folder, const std::string& writer) {
  return !writer.empty() && read_note(run_folder / stop_request_name) == writer;
}

void clear_stop_request(const std::filesystem::path& run_folder) {
  std::error_code ignored;
  std::filesystem::remove(run_folder / stop_request_name, ignored);
}

}  // namespace promptsweep
