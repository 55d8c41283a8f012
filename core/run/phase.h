// SPDX-License-Identifier: Apache-2.0
// The way through a run: nine stages, each of one or more phases. A phase makes files or stored
// rows from recorded inputs. It is done when its recorded input hash equals today's and its files
// are what it wrote; never because a file exists or is young.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "run/observer.h"
#include "run/stop.h"
#include "store/run_store.h"

namespace promptsweep {

inline constexpr std::array<std::string_view, 9> stage_names{
    "prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report"};

struct PhaseOutput {
  std::filesystem::path path;  // absolute
  std::string sha256;
};

struct Phase {
  std::string name;     // of its stage
  std::string subject;  // trial slug, or "run"
  std::string input_hash;
  std::function<Result<std::vector<PhaseOutput>>()> execute;
  // Beyond the record: false says that there is work left, whatever was recorded. May be empty.
  std::function<Result<bool>()> still_done = nullptr;
};

// One of stage_names. What it needs is asked when its turn comes, so that it sees what the stages
// before it made.
struct Stage {
  std::string name;
  std::function<Status()> ready;  // else one sentence: what is missing and how to get it
  std::function<Result<std::vector<Phase>>()> phases;
};

// Which stages an invocation walks through.
class StageChoice {
 public:
  struct Wish {
    std::optional<std::string> only, from, to;
    std::set<std::string> skip, force;
  };
  StageChoice();  // all of them
  // Code::invalid_input: a name that is none, flags that contradict each other, nothing left.
  static Result<StageChoice> from(const Wish& wish);

  bool wants(std::string_view stage) const { return wanted_.contains(std::string(stage)); }
  // Executed again though its inputs are the same.
  bool forces(std::string_view stage) const { return forced_.contains(std::string(stage)); }
  void add(const std::string& stage) { wanted_.insert(stage); }
  bool is_everything() const { return wanted_.size() == stage_names.size() && forced_.empty(); }

 private:
  std::set<std::string> wanted_, forced_;
};

// Executes what is not done, in order, and records it: a phase that fails or throws is recorded as
// not done, so that nothing ever takes its output for a result. Stops at the first error, and
// before the next phase once `stop` is set (Code::cancelled).
Status run_phases(RunStore& run, const std::vector<Phase>& phases, const StageChoice& choice,
                  Observer& observer, const StopFlag& stop);

// Whether every file that a phase recorded is still there; what is in it is `verify`'s to tell.
Result<bool> recorded_files_exist(RunStore& run);

struct StagesDone {
  bool wanted = true;      // no wanted stage has work left
  bool everything = true;  // and no other stage either
};

// Walks through the wanted stages. A stage that is left out is recorded as not done unless it is.
// What went wrong last is kept in the run's record.
Result<StagesDone> run_stages(RunStore& run, const std::vector<Stage>& stages,
                              const StageChoice& choice, Observer& observer, const StopFlag& stop);

// Keeps `error` as the run's last one; a failure to keep it is not told.
void keep_last_error(RunStore& run, const std::string& phase, const std::string& subject,
                     const std::string& text);

}  // namespace promptsweep
