// SPDX-License-Identifier: Apache-2.0
#include "store/archive.h"

#include <string>
#include <vector>

#include "base/env.h"
#include "store/run_schema.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

// --force-local: a colon in a path names no other machine.
Result<ProgramEnd> run_tar(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"tar", "--zstd", "--force-local"});
  Result<ProgramEnd> end = run_program(arguments);
  if (!end && end.error().code == Code::not_found) {
    return Error{Code::unsupported,
                 "an archive needs the programs tar and zstd (Debian: apt-get "
                 "install tar zstd)"};
  }
  return end;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Reads the archive to its end, so that zstd's own checksums are held against its bytes.
Status check_same(const std::filesystem::path& archive, const std::filesystem::path& folder) {
  const Error other{Code::state, archive.string() +
                                     " exists and is not the archive of this sealed " +
                                     "run; it stays as it is: move it away to write a new one"};
  const Result<std::string> sums = read_file(folder / checksums_name);
  if (!sums) return sums.error();
  Result<ProgramEnd> end = run_tar({"--extract", "--to-stdout", "--file", archive.string(), "--",
                                    (folder.filename() / checksums_name).generic_string()});
  if (!end) return std::move(end).error();
  if (end->exit_code != 0 || end->output != *sums) return other;
  return ok;
}

}  // namespace

std::filesystem::path archive_path(const std::filesystem::path& run_folder) {
  std::filesystem::path out = run_folder;
  out += ".tar.zst";
  return out;
}

Result<bool> write_archive(const std::filesystem::path& run_folder) {
  const std::filesystem::path archive = archive_path(run_folder);
  std::error_code failed;
  if (std::filesystem::exists(std::filesystem::symlink_status(archive, failed))) {
    if (Status same = check_same(archive, run_folder); !same) return std::move(same).error();
    return false;
  }
  const std::filesystem::path parent =
      run_folder.has_parent_path() ? run_folder.parent_path() : std::filesystem::path(".");
  std::filesystem::path temporary = archive;
  temporary += "." + std::to_string(unix_us_now()) + ".tmp";
  // What the seal covers and nothing else.
  Result<ProgramEnd> end =
      run_tar({"--create", "--sort=name", "--exclude=*.lock", "--exclude=*-wal", "--exclude=*-shm",
               "--file", temporary.string(), "--directory", parent.string(), "--",
               run_folder.filename().string()});
  Status written = ok;
  if (!end) {
    written = std::move(end).error();
  } else if (end->exit_code != 0) {
    written = Error{Code::io, "cannot write " + archive.string() + ": " + first_line(end->errors)};
  }
  if (written) written = sync_file(temporary);
  if (written) written = rename_durably(temporary, archive);
  if (!written) {
    std::filesystem::remove(temporary, failed);
    return std::move(written).error();
  }
  return true;
}

}  // namespace promptsweep
