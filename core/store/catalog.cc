// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "store/plan_rows.h"
#include "store/run_schema.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

// Reads five short rows and no plan: a catalogue of many large runs stays quick.
Status read_summary(RunSummary& out) {
  const std::filesystem::path file = out.folder / run_database_name;
  const Access access = check_not_sealed(file) ? Access::read_only : Access::immutable;
  Result<Database> database = Database::open(file, run_format, access);
  if (!database) return std::move(database).error();
  const struct {
    const char* key;
    std::string& target;
  } fields[] = {{"state", out.state},
                {"created_at", out.created_at},
                {"config_sha256", out.config_sha256},
                {"command_line", out.command_line_json}};
  for (const auto& field : fields) {
    Result<std::string> value = read_meta(*database, field.key);
    if (!value) return std::move(value).error();
    field.target = std::move(value).value();
  }
  return ok;
}

}  // namespace

Result<std::vector<RunSummary>> list_runs(const std::filesystem::path& experiments_folder) {
  std::vector<RunSummary> out;
  std::error_code failed;
  if (!std::filesystem::exists(experiments_folder, failed)) return out;
  constexpr std::string_view prefix = "run_";  // a dry run's id is its folder's name
  std::filesystem::directory_iterator walk(experiments_folder, failed);
  for (; !failed && walk != std::filesystem::directory_iterator(); walk.increment(failed)) {
    const std::string name = walk->path().filename().string();
    std::error_code no_folder;
    const bool pretends = is_dry_run(name);
    if (!(pretends || name.starts_with(prefix)) || !walk->is_directory(no_folder)) continue;
    RunSummary summary;
    summary.run_id = pretends ? name : name.substr(prefix.size());
    summary.folder = walk->path();
    if (const Status read = read_summary(summary); !read) {
      summary.state = "unreadable";
      summary.problem = read.error().text;
    }
    out.push_back(std::move(summary));
  }
  if (failed) {
    return Error{Code::io, "cannot list " + experiments_folder.string() + ": " + failed.message()};
  }
  // Those without a time, the unreadable ones, come last.
  std::sort(out.begin(), out.end(), [](const RunSummary& a, const RunSummary& b) {
    return std::tie(a.created_at, a.run_id) > std::tie(b.created_at, b.run_id);
  });
  return out;
}

}  // namespace promptsweep
