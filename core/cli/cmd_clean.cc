// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_lookup.h"
#include "cli/run_view.h"
#include "report/format.h"
#include "run/manifest.h"
#include "store/removal.h"
#include "store/run_schema.h"

namespace promptsweep {
namespace {

// Something that may go.
struct Candidate {
  std::filesystem::path path;
  std::string state, why;
  std::string kept_because;  // empty: it may be removed
  std::uintmax_t bytes = 0;
  bool removed = false;
};

// A run of which something may go: as a whole, or what belongs to no trial of its plan.
struct Target {
  RunSummary run;
  bool whole = true;
  std::vector<Candidate> candidates;
};

std::string open_jobs_text(const RunOverview& run, bool superseded_only) {
  std::size_t jobs = 0;
  for (const ArmOverview& arm : run.arms) {
    if (!superseded_only || !arm.live) jobs += arm.open_jobs.size();
  }
  if (jobs == 0) return "";
  return "; " + std::to_string(jobs) + (jobs == 1 ? " job of it is" : " jobs of it are") +
         " still open";
}

Result<Candidate> candidate(const std::filesystem::path& path, const RunSummary& run,
                            const std::string& why) {
  Candidate out;
  out.path = path;
  out.state = run.shown_state();
  out.why = why;
  if (run.writer) out.kept_because = "somebody runs it: " + *run.writer;
  Result<std::uintmax_t> bytes = size_on_disk(path);
  if (!bytes) return std::move(bytes).error();
  out.bytes = *bytes;
  return out;
}

Result<Target> whole_run(const RunSummary& run) {
  if (!is_run_folder(run.folder)) {
    return Error{Code::invalid_input, run.folder.string() +
                                          " is no run's folder (a link, or without a run.sqlite); "
                                          "it stays"};
  }
  std::string why = "named";
  const Result<RunOverview> overview = read_overview(run);
  if (overview && run.state != "sealed") {
    why += ", not archived, " + count_text(overview->progress()) + " requests answered" +
           open_jobs_text(*overview, false);
  }
  if (!overview) why += ", cannot be read";
  Result<Candidate> one = candidate(run.folder, run, why);
  if (!one) return std::move(one).error();
  return Target{run, true, {std::move(one).value()}};
}

Result<Target> superseded_parts(const RunSummary& run) {
  Target out{run, false, {}};
  const Result<RunOverview> overview = read_overview(run);
  if (!overview) return overview.error();
  if (overview->plan.run_id.empty()) return out;
  const Result<std::vector<std::filesystem::path>> paths =
      unplanned_paths(run.folder, without_superseded(overview->plan));
  if (!paths) return paths.error();
  for (const std::filesystem::path& path : *paths) {
    Result<Candidate> one =
        candidate(path, run, "an edit replaced it" + open_jobs_text(*overview, true));
    if (!one) return std::move(one).error();
    if (one->kept_because.empty() && run.state == "sealed")
      one->kept_because = "the run is sealed; only the whole run can go";
    out.candidates.push_back(std::move(one).value());
  }
  return out;
}

Result<Target> leftovers(const std::filesystem::path& experiments) {
  Target out;
  const Result<std::vector<std::filesystem::path>> paths = removal_leftovers(experiments);
  if (!paths) return paths.error();
  for (const std::filesystem::path& path : *paths) {
    Candidate one;
    one.path = path;
    one.state = std::string(dash);
    one.why = "an earlier clean was cut off";
    Result<std::uintmax_t> bytes = size_on_disk(path);
    if (!bytes) return std::move(bytes).error();
    one.bytes = *bytes;
    out.candidates.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<RunSummary>> chosen_runs(const std::filesystem::path& experiments,
                                            const std::vector<std::string>& names,
                                            bool superseded) {
  std::vector<RunSummary> out;
  for (const std::string& name : names) {
    Result<RunSummary> run = named_run(experiments, name);
    if (!run) return std::move(run).error();
    bool twice = false;
    for (const RunSummary& other : out) twice = twice || other.folder == run->folder;
    if (!twice) out.push_back(std::move(run).value());
  }
  if (!names.empty() || !superseded) return out;
  Result<std::vector<RunSummary>> all = list_runs(experiments);
  if (!all) return all;
  std::erase_if(*all, [](const RunSummary& run) { return run.state == "unreadable"; });
  return all;
}

Result<std::vector<Target>> find_targets(const std::filesystem::path& experiments,
                                         const std::vector<std::string>& names, bool superseded) {
  Result<std::vector<RunSummary>> runs = chosen_runs(experiments, names, superseded);
  if (!runs) return std::move(runs).error();
  std::vector<Target> out;
  for (const RunSummary& run : *runs) {
    Result<Target> target = superseded ? superseded_parts(run) : whole_run(run);
    if (!target) return std::move(target).error();
    if (!target->candidates.empty()) out.push_back(std::move(target).value());
  }
  Result<Target> rest = leftovers(experiments);
  if (!rest) return std::move(rest).error();
  if (!rest->candidates.empty()) out.push_back(std::move(rest).value());
  return out;
}

// --- removal

Status remove_whole(Target& target) {
  std::string holder;
  const Result<std::optional<FileLock>> lock =
      FileLock::try_take(target.run.folder / writer_lock_name, process_note(), &holder);
  if (!lock) return lock.error();
  Candidate& one = target.candidates.front();
  if (!*lock) {
    one.kept_because = "somebody runs it: " + holder;
    return ok;
  }
  if (Status removed = remove_aside(one.path); !removed) return removed;
  one.removed = true;
  return ok;
}

// The plan forgets them first: a crash leaves folders that no trial explains, which the next clean
// finds.
Status remove_superseded(Target& target) {
  Result<std::unique_ptr<RunStore>> run = RunStore::open_for_writing(target.run.folder);
  if (!run) return std::move(run).error();
  // Costs and reports tell of what goes now; resume makes them again.
  if (Status set = (*run)->set_state("incomplete"); !set) return set;
  if (Status forgotten = (*run)->forget_superseded(); !forgotten) return forgotten;
  for (Candidate& one : target.candidates) {
    if (Status removed = remove_aside(one.path); !removed) return removed;
    one.removed = true;
  }
  const Result<RunPlan> plan = (*run)->plan();
  if (!plan) return plan.error();
  const Result<std::vector<ArmState>> states = arm_states(**run, *plan);
  // A run whose arms are not all built has no manifests yet.
  if (!states) return states.error().code == Code::not_found ? Status(ok) : Status(states.error());
  return write_manifests(**run, *plan, *states);
}

Status remove_target(Target& target) {
  if (target.run.folder.empty()) {
    for (Candidate& one : target.candidates) {
      if (Status removed = remove_aside(one.path); !removed) return removed;
      one.removed = true;
    }
    return ok;
  }
  for (const Candidate& one : target.candidates) {
    if (!one.kept_because.empty()) return ok;
  }
  return target.whole ? remove_whole(target) : remove_superseded(target);
}

// --- what is told

std::string fate(const Candidate& one, bool yes) {
  if (one.removed) return "removed";
  if (!one.kept_because.empty()) return "kept: " + one.kept_because;
  return yes ? "not removed" : "would be removed";
}

void print(const std::vector<Target>& targets, bool yes, bool as_json) {
  nlohmann::json list = nlohmann::json::array();
  std::vector<std::vector<std::string>> rows{{"folder", "state", "why", "size", ""}};
  std::uintmax_t bytes = 0;
  for (const Target& target : targets) {
    for (const Candidate& one : target.candidates) {
      if (one.kept_because.empty()) bytes += one.bytes;
      rows.push_back(
          {one.path.string(), one.state, one.why, bytes_text(one.bytes), fate(one, yes)});
      list.push_back(
          {{"path", one.path.string()},
           {"state", one.state},
           {"why", one.why},
           {"bytes", one.bytes},
           {"removed", one.removed},
           {"kept_because",
            one.kept_because.empty() ? nlohmann::json() : nlohmann::json(one.kept_because)}});
    }
  }
  if (as_json) {
    std::cout << printed(list);
  } else if (list.empty()) {
    std::cout << "nothing to remove\n";
  } else {
    std::cout << text_table(rows, 5);
    if (!yes) {
      std::cout << "nothing was removed; with --yes, " << bytes_text(bytes) << " would be freed\n";
    }
  }
}

const char* const help_text =
    "promptsweep clean - remove runs, or what an edit left behind. Shows what it would remove;\n"
    "removes with --yes alone. A run that somebody runs stays.\n\n"
    "  promptsweep clean r20260504123456                 what would go\n"
    "  promptsweep clean r20260504123456 r20260505080000 --yes\n"
    "  promptsweep clean --superseded                    trials that an edit replaced, in every "
    "run\n"
    "  promptsweep clean r20260504123456 --superseded --yes\n"
    "  promptsweep clean                                 leftovers of a clean that was cut off\n\n";

}  // namespace

int cmd_clean(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = lookup_options();
  options.add_options()("run", po::value<std::vector<std::string>>(), "runs, ids or folders")  //
      ("superseded",
       "only trials of these runs (of all where none is named) that an edit "
       "replaced; their cost leaves the run's total")  //
      ("yes", "remove it")                             //
      ("json", "a JSON array instead of a table");
  Result<ParsedArguments> parsed =
      parse_arguments(arguments, options, po::positional_options_description().add("run", -1));
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << help_text << options
              << "\nExit codes: 0 told or removed, 1 something stays (a run that somebody runs, a "
                 "failure), 2 there is no such run.\n";
    return exit_ok;
  }
  Result<std::filesystem::path> folder = experiments_folder(*parsed);
  if (!folder) return fail(folder.error());
  const std::vector<std::string> names = parsed->has("run")
                                             ? parsed->get<std::vector<std::string>>("run")
                                             : std::vector<std::string>();
  Result<std::vector<Target>> targets = find_targets(*folder, names, parsed->has("superseded"));
  if (!targets) return fail(targets.error());
  const bool yes = parsed->has("yes");
  int code = exit_ok;
  for (Target& target : *targets) {
    if (!yes) break;
    if (Status removed = remove_target(target); !removed) code = fail(removed.error());
  }
  for (const Target& target : *targets) {
    for (const Candidate& one : target.candidates) {
      if (yes && !one.removed && code == exit_ok) code = exit_failed;
    }
  }
  print(*targets, yes, parsed->has("json"));
  return code;
}

}  // namespace promptsweep
