// SPDX-License-Identifier: Apache-2.0
#include "store/catalog.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/env.h"
#include "store/arm_rows.h"
#include "store/arm_schema.h"
#include "store/plan_rows.h"
#include "store/run_schema.h"

namespace promptsweep {
namespace {

constexpr std::string_view folder_prefix = "run_";

Result<Database> open_read_only(const std::filesystem::path& file, const DatabaseFormat& format) {
  return Database::open(file, format,
                        check_not_sealed(file) ? Access::read_only : Access::immutable);
}

// Reads four short rows and no plan: a catalogue of many large runs stays quick.
Status read_rows(RunSummary& out) {
  Result<Database> database = open_read_only(out.folder / run_database_name, run_format);
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

// The id of the run whose folder has this name in an experiments folder; nullopt: no such name.
std::optional<std::string> id_in(const std::string& folder_name) {
  if (is_dry_run(folder_name)) return folder_name;  // its id is its folder's name
  if (!folder_name.starts_with(folder_prefix)) return std::nullopt;
  return folder_name.substr(folder_prefix.size());
}

RunSummary summary_of(const std::filesystem::path& folder) {
  RunSummary out;
  out.folder = folder;
  const std::string name = folder.filename().string();
  out.run_id = id_in(name).value_or(name);
  if (const Status read = read_rows(out); !read) {
    out.state = "unreadable";
    out.problem = read.error().text;
  }
  // A lock that cannot be looked at is told by whoever needs it.
  const Result<std::optional<std::string>> writer = FileLock::holder(folder / writer_lock_name);
  if (writer && *writer) out.writer = (*writer)->empty() ? "it has just started" : **writer;
  return out;
}

bool names_a_folder(const std::string& name) {
  return name.find('/') != std::string::npos || name == "." || name == "..";
}

// ".../run_x/" and "." have no file name of their own.
std::filesystem::path plain_folder(const std::string& name) {
  std::error_code failed;
  std::filesystem::path path = std::filesystem::absolute(name, failed).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return name.starts_with('/') ? path : path.lexically_proximate(std::filesystem::current_path());
}

std::string known_ids(const std::filesystem::path& experiments_folder) {
  constexpr std::size_t most = 5;
  const Result<std::vector<RunSummary>> runs = list_runs(experiments_folder);
  if (!runs || runs->empty()) return "it holds no runs";
  std::string out = "the newest are";
  for (std::size_t i = 0; i < std::min(most, runs->size()); ++i) out += " " + (*runs)[i].run_id;
  return out;
}

std::set<std::string> live_arm_ids(const RunPlan& plan) {
  std::set<std::string> out;
  for (const TrialSpec& trial : plan.trials) {
    if (trial.superseded) continue;
    for (const ArmPair& pair : trial.pairs) {
      out.insert(pair.control_arm_id);
      out.insert(pair.treatment_arm_id);
    }
  }
  return out;
}

Status read_arm(const std::filesystem::path& file, ArmOverview& out) {
  Result<Database> database = open_read_only(file, arm_format);
  if (!database) return std::move(database).error();
  // A store whose requests are not written yet: what the plan says stands.
  ArmProgress counted;
  if (Status read = count_progress(*database, counted); !read) return read;
  if (counted.expected > 0) out.progress = std::move(counted);
  Result<std::string> identity = read_meta(*database, "engine_identity");
  if (!identity) return std::move(identity).error();
  out.engine_identity = std::move(identity).value();
  return database->for_each_row(std::string("SELECT ") + job_columns +
                                    " FROM jobs WHERE state != 'terminal' ORDER BY ordinal",
                                [&](const Statement& row) -> Status {
                                  out.open_jobs.push_back(job_from(row));
                                  return ok;
                                });
}

ArmOverview overview_of(const std::filesystem::path& run_folder, const ArmSpec& arm) {
  ArmOverview out;
  out.arm_id = arm.arm_id;
  out.progress.expected = arm.request_count;
  const std::filesystem::path file = run_folder / arm.store_path;
  std::error_code failed;
  out.started = std::filesystem::exists(file, failed);
  if (!out.started) return out;
  if (const Status read = read_arm(file, out); !read) out.problem = read.error().text;
  return out;
}

void add(ArmProgress& sum, const ArmProgress& more) {
  sum.expected += more.expected;
  sum.accepted += more.accepted;
  sum.ok += more.ok;
  sum.in_jobs += more.in_jobs;
  std::map<Outcome, std::int64_t> outcomes(sum.outcomes.begin(), sum.outcomes.end());
  for (const auto& [outcome, count] : more.outcomes) outcomes[outcome] += count;
  sum.outcomes.assign(outcomes.begin(), outcomes.end());
}

Result<std::vector<PhaseRecord>> read_phases(const Database& database) {
  std::vector<PhaseRecord> out;
  Status read = database.for_each_row(
      "SELECT phase, subject, input_hash, outputs_json, finished_at FROM phases "
      "ORDER BY finished_at, phase, subject",
      [&](const Statement& row) -> Status {
        out.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4)});
        return ok;
      });
  if (!read) return std::move(read).error();
  return out;
}

}  // namespace

bool is_run_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  return !std::filesystem::is_symlink(folder, failed) &&
         std::filesystem::is_directory(folder, failed) &&
         std::filesystem::is_regular_file(folder / run_database_name, failed);
}

Result<std::vector<RunSummary>> list_runs(const std::filesystem::path& experiments_folder) {
  std::vector<RunSummary> out;
  std::error_code failed;
  if (!std::filesystem::exists(experiments_folder, failed)) return out;
  std::filesystem::directory_iterator walk(experiments_folder, failed);
  for (; !failed && walk != std::filesystem::directory_iterator(); walk.increment(failed)) {
    const std::string name = walk->path().filename().string();
    std::error_code no_folder;
    if (!id_in(name) || !walk->is_directory(no_folder)) continue;
    out.push_back(summary_of(walk->path()));
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

Result<RunSummary> named_run(const std::filesystem::path& experiments_folder,
                             const std::string& name) {
  std::error_code failed;
  if (!name.empty() && !names_a_folder(name)) {
    for (const std::string& folder : {std::string(folder_prefix) + name, name}) {
      const std::filesystem::path path = experiments_folder / folder;
      if (id_in(folder) && std::filesystem::is_directory(path, failed)) return summary_of(path);
    }
  }
  if (!name.empty() && std::filesystem::is_directory(name, failed)) {
    const std::filesystem::path folder = plain_folder(name);
    if (is_run_folder(folder)) return summary_of(folder);
    return Error{Code::invalid_input, folder.string() + " is no run's folder: there is no " +
                                          run_database_name + " in it"};
  }
  return Error{Code::invalid_input, "there is no run \"" + name + "\" in " +
                                        experiments_folder.string() + "; " +
                                        known_ids(experiments_folder)};
}

Result<RunSummary> newest_run(const std::filesystem::path& experiments_folder) {
  Result<std::vector<RunSummary>> runs = list_runs(experiments_folder);
  if (!runs) return std::move(runs).error();
  for (RunSummary& run : *runs) {
    if (run.state != "unreadable") return std::move(run);
  }
  return Error{Code::invalid_input, "there is no run in " + experiments_folder.string() +
                                        " yet; promptsweep run makes one"};
}

const ArmOverview* RunOverview::find(const std::string& arm_id) const {
  for (const ArmOverview& arm : arms) {
    if (arm.arm_id == arm_id) return &arm;
  }
  return nullptr;
}

bool RunOverview::complete(const TrialSpec& trial) const {
  for (const ArmPair& pair : trial.pairs) {
    for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
      if (id.empty()) continue;
      const ArmOverview* arm = find(id);
      if (arm == nullptr || !arm->started || !arm->problem.empty() || !arm->progress.complete())
        return false;
    }
  }
  return true;
}

ArmProgress RunOverview::progress_of(const TrialSpec& trial) const {
  std::set<std::string> ids;
  for (const ArmPair& pair : trial.pairs) ids.insert({pair.control_arm_id, pair.treatment_arm_id});
  ArmProgress out;
  for (const ArmOverview& arm : arms) {
    if (ids.contains(arm.arm_id)) add(out, arm.progress);
  }
  return out;
}

ArmProgress RunOverview::progress_of(const EngineSpec& engine) const {
  ArmProgress out;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (arms[i].live && plan.arms[i].engine_id == engine.engine_id) add(out, arms[i].progress);
  }
  return out;
}

ArmProgress RunOverview::progress() const {
  ArmProgress out;
  for (const ArmOverview& arm : arms) {
    if (arm.live) add(out, arm.progress);
  }
  return out;
}

std::vector<const ArmOverview*> RunOverview::damaged() const {
  std::vector<const ArmOverview*> out;
  for (const ArmOverview& arm : arms) {
    if (!arm.problem.empty()) out.push_back(&arm);
  }
  return out;
}

Result<RunOverview> read_overview(const RunSummary& summary) {
  if (summary.state == "unreadable") return Error{Code::data, summary.problem};
  RunOverview out;
  out.summary = summary;
  Result<Database> database = open_read_only(summary.folder / run_database_name, run_format);
  if (!database) return std::move(database).error();
  Result<RunPlan> plan = read_plan_outline(*database);
  if (!plan) return std::move(plan).error();
  out.plan = std::move(plan).value();
  Result<std::string> last_error = read_meta(*database, "last_error");
  if (!last_error) return std::move(last_error).error();
  out.last_error_json = std::move(last_error).value();
  Result<std::vector<PhaseRecord>> phases = read_phases(*database);
  if (!phases) return std::move(phases).error();
  out.phases = std::move(phases).value();
  const std::set<std::string> live = live_arm_ids(out.plan);
  for (const ArmSpec& arm : out.plan.arms) {
    out.arms.push_back(overview_of(summary.folder, arm));
    out.arms.back().live = live.contains(arm.arm_id);
  }
  return out;
}

}  // namespace promptsweep
