// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/env.h"
#include "store/arm_store.h"
#include "store/run_schema.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

bool is_side_file(const std::string& name) {
  return name.ends_with("-wal") || name.ends_with("-shm") || name.ends_with(".lock");
}

// Opening for writing moves what a killed process left in the log into the file.
Status verify_arms(RunStore& run) {
  const Result<RunPlan> plan = run.plan();
  if (!plan) return plan.error();
  for (const ArmSpec& arm : plan->arms) {
    std::error_code failed;
    const std::filesystem::path file = run.folder() / arm.store_path;
    if (!std::filesystem::exists(file, failed)) continue;  // planned and never begun
    {
      Result<std::unique_ptr<ArmStore>> store = run.open_arm(arm);
      if (!store) return std::move(store).error();
      if (Status sound = (*store)->verify(); !sound) return sound;
    }
    std::filesystem::path log = file;
    log += "-wal";
    const std::uintmax_t size = std::filesystem::file_size(log, failed);
    if (!failed && size > 0) {
      return Error{Code::state,
                   file.string() + ": a reader holds the arm open; close it and seal again"};
    }
  }
  return ok;
}

Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code failed;
  std::filesystem::recursive_directory_iterator walk(folder, failed);
  for (; !failed && walk != std::filesystem::recursive_directory_iterator();
       walk.increment(failed)) {
    std::error_code dangling;
    if (!walk->is_regular_file(dangling)) continue;
    const std::filesystem::path relative = walk->path().lexically_relative(folder);
    if (relative == checksums_name || is_side_file(relative.filename().string())) continue;
    out.push_back(relative);
  }
  if (failed) return Error{Code::io, "cannot list " + folder.string() + ": " + failed.message()};
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.generic_string() < b.generic_string(); });
  return out;
}

// As sha256sum prints it: a backslash in front says that the name is escaped.
std::string checksum_line(const std::string& digest, const std::string& name) {
  std::string escaped;
  for (char c : name) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '\r') {
      escaped += "\\r";
    } else {
      escaped += c;
    }
  }
  return (escaped.size() == name.size() ? "" : "\\") + digest + "  " + escaped + "\n";
}

// The inverse: digest and name of a line without its end. nullopt: this is no such line.
std::optional<std::pair<std::string, std::string>> read_checksum_line(std::string line) {
  constexpr std::size_t digits = 64;
  const bool escaped = line.starts_with('\\');
  if (escaped) line.erase(0, 1);
  if (line.size() <= digits + 2 || line.compare(digits, 2, "  ") != 0) return std::nullopt;
  std::string name;
  for (std::size_t i = digits + 2; i < line.size(); ++i) {
    char c = line[i];
    if (escaped && c == '\\') {
      if (++i == line.size()) return std::nullopt;
      c = line[i] == 'n' ? '\n' : line[i] == 'r' ? '\r' : line[i];
    }
    name += c;
  }
  return std::pair{line.substr(0, digits), name};
}

Status take_right_to_write(const std::filesystem::path& file) {
  using std::filesystem::perms;
  std::error_code failed;
  if (std::filesystem::is_symlink(file, failed)) return ok;  // not the run's own
  std::filesystem::permissions(file, perms::owner_write | perms::group_write | perms::others_write,
                               std::filesystem::perm_options::remove, failed);
  if (!failed) return ok;
  return Error{Code::io, "cannot make " + file.string() + " read-only: " + failed.message()};
}

Status make_read_only(const std::filesystem::path& folder) {
  const Result<std::vector<std::filesystem::path>> files = files_of(folder);
  if (!files) return files.error();
  for (const std::filesystem::path& file : *files) {
    if (Status taken = take_right_to_write(folder / file); !taken) return taken;
  }
  return take_right_to_write(folder / checksums_name);
}

Status write_checksums(const std::filesystem::path& folder) {
  const Result<std::vector<std::filesystem::path>> files = files_of(folder);
  if (!files) return files.error();
  std::string sums;
  for (const std::filesystem::path& file : *files) {
    const Result<std::string> digest = sha256_hex_of_file(folder / file);
    if (!digest) return digest.error();
    sums += checksum_line(*digest, file.generic_string());
  }
  return write_file_atomic(folder / checksums_name, sums);
}

}  // namespace

Result<std::int64_t> check_seal(const std::filesystem::path& run_folder,
                                const DifferenceSink& found) {
  const std::filesystem::path sums = run_folder / checksums_name;
  const Result<std::string> text = read_file(sums);
  if (!text) return text.error();
  const Result<std::vector<std::filesystem::path>> files = files_of(run_folder);
  if (!files) return files.error();
  std::set<std::string> extra;
  for (const std::filesystem::path& file : *files) extra.insert(file.generic_string());

  std::int64_t compared = 0, number = 0;
  for (std::size_t from = 0; from < text->size();) {
    const std::size_t end = std::min(text->find('\n', from), text->size());
    const std::string line = text->substr(from, end - from);
    from = end + 1;
    const std::string row = "line " + std::to_string(++number);
    const auto entry = read_checksum_line(line);
    if (!entry) {
      found({sums.string(), row, "this is no line of checksums", line, ""});
      continue;
    }
    const auto& [digest, name] = *entry;
    if (extra.erase(name) == 0) {
      found({sums.string(), row, "there is no file " + name, digest, ""});
      continue;
    }
    const Result<std::string> now = sha256_hex_of_file(run_folder / name);
    if (!now) return now.error();
    ++compared;
    if (*now != digest) {
      found({(run_folder / name).string(), "",
             "the file is not what was sealed (SHA256SUMS " + row + ")", digest, *now});
    }
  }
  for (const std::string& name : extra) {
    found({(run_folder / name).string(), "", "the file came after the run was sealed", "", ""});
  }
  return compared;
}

Status check_seal(const std::filesystem::path& run_folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(run_folder / checksums_name, ignored)) {
    return Error{Code::state, run_folder.string() + ": the run is not sealed"};
  }
  std::string first;
  const Result<std::int64_t> compared = check_seal(run_folder, [&](const Difference& difference) {
    if (first.empty()) first = "the seal is broken: " + difference.file + ": " + difference.says;
  });
  if (!compared) return compared.error();
  return first.empty() ? Status(ok) : Status(Error{Code::data, first});
}

Status seal_run(RunStore& run) {
  std::error_code failed;
  if (std::filesystem::exists(run.folder() / checksums_name, failed)) {
    return make_read_only(run.folder());
  }
  const Result<std::string> state = run.state();
  if (!state) return state.error();
  if (*state != "sealed") {
    if (Status sound = run.verify(); !sound) return sound;
    if (Status sound = verify_arms(run); !sound) return sound;
    // Before the sums, which cover the database that holds the state.
    if (Status set = run.set_state("sealed"); !set) return set;
  }
  if (Status written = write_checksums(run.folder()); !written) return written;
  return make_read_only(run.folder());
}

}  // namespace promptsweep
