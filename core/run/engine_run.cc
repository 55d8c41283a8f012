// SPDX-License-Identifier: Apache-2.0
#include "run/engine_run.h"

#include <algorithm>
#include <set>

namespace promptsweep {
namespace {

constexpr std::int64_t report_interval_us = 200'000;
// Record of the options that an engine was given after memory ran out; its subject is the engine.
constexpr char memory_record[] = "memory";

}  // namespace

EngineRun::EngineRun(RunStore& run, const RunPlan& plan, const EngineSpec& engine,
                     const ItemSource& items, const ExecuteOptions& options, RetryBudget& retries,
                     Observer& observer, const StopFlag& stop)
    : run_(run),
      plan_(plan),
      engine_(engine),
      items_(items),
      options_(options),
      retries_(retries),
      observer_(observer),
      stop_(stop) {}

Result<bool> EngineRun::load() {
  std::vector<std::string> wanted;
  for (const Block& block : plan_.blocks) {
    if (wanted.empty() || wanted.back() != block.arm_id) wanted.push_back(block.arm_id);
  }
  std::sort(wanted.begin(), wanted.end());
  for (const ArmSpec& spec : plan_.arms) {
    if (spec.engine_id != engine_.engine_id) continue;
    std::error_code ignored;
    // Jobs are cancelled whoever asked for them, an edit that replaced their trial notwithstanding.
    const bool is_wanted = options_.reach == Reach::cancel_only
                               ? std::filesystem::exists(run_.folder() / spec.store_path, ignored)
                               : std::binary_search(wanted.begin(), wanted.end(), spec.arm_id);
    if (!is_wanted) continue;
    Result<std::unique_ptr<ArmRun>> arm = ArmRun::load(run_, spec);
    if (!arm) return std::move(arm).error();
    progress_.expected += (*arm)->expected();
    progress_.accepted += (*arm)->accepted();
    arms_.emplace(spec.arm_id, std::move(arm).value());
  }
  if (complete()) return false;
  const bool left_jobs = std::any_of(arms_.begin(), arms_.end(),
                                     [](const auto& arm) { return arm.second->has_left_jobs(); });
  if (!makes_jobs() && !left_jobs) return false;
  // What an earlier invocation found this machine to hold, it holds no more of now.
  const Result<std::optional<PhaseRecord>> lowered = run_.phase(memory_record, engine_.engine_id);
  if (!lowered) return lowered.error();
  if (*lowered) engine_.options_json = (*lowered)->input_hash;
  return true;
}

bool EngineRun::complete() const {
  return std::all_of(arms_.begin(), arms_.end(),
                     [](const auto& arm) { return arm.second->complete(); });
}

std::optional<EngineNeed> EngineRun::need() const {
  if (!options_.need) return EngineNeed{};
  return options_.need(engine_);
}

Status EngineRun::execute() {
  if (Status opened = open_engine(); !opened) return opened;
  if (Status same = check_engine_of_arms(); !same) return same;
  ready_us_ = monotonic_us();
  open_cache();
  Status result = settle_left_open_jobs();
  if (result && makes_jobs()) result = take_from_cache();
  if (result && makes_jobs()) result = plan_remaining();
  if (result && options_.reach != Reach::cancel_only) result = run_jobs();
  Status ended = wind_down();
  report(true);
  observer_.engine_finished(engine_, progress_);
  return result ? ended : result;
}

Status EngineRun::run_jobs() {
  const BackendFacts& facts = backend_->facts();
  const bool only_submit = options_.reach == Reach::submit_only && facts.remote && facts.resumes;
  while (!stop_.requested()) {
    if (Status started = start_jobs(); !started && !backend_->lost()) return started;
    const bool nothing_to_start = queue_.empty() && suspects_.empty();
    if (nothing_to_start && active_.empty()) return ok;
    if (nothing_to_start && only_submit && all_known_at_provider()) return ok;
    if (!backend_->lost() && !shortage_) {
      if (Status taken = take_results(); !taken) return taken;
    }
    Status well = ok;
    if (backend_->lost()) {
      well = recover_from_loss();
    } else if (shortage_) {
      well = reopen_with_less_memory(*std::exchange(shortage_, std::nullopt));
    }
    if (!well) return well;
    report(false);
  }
  return ok;
}

// A backend takes a job at once and creates it at the provider in its own time: its first
// checkpoint tells that it is there.
bool EngineRun::all_known_at_provider() const {
  const std::lock_guard lock(ledgers_mutex_);
  return std::all_of(active_.begin(), active_.end(), [&](const auto& entry) {
    return !entry.second.request.resume_token.empty() || known_at_provider_.contains(entry.first);
  });
}

BackendServices EngineRun::services() {
  BackendServices services;
  services.log = [this](int level, std::string_view text) {
    const Severity severity = level >= 4   ? Severity::error
                              : level == 3 ? Severity::warning
                              : level == 2 ? Severity::info
                                           : Severity::debug;
    observer_.message(severity, text);
  };
  services.progress = [this](std::uint64_t done, std::uint64_t total, std::string_view stage) {
    observer_.engine_opening(engine_, done, total, stage);
  };
  services.checkpoint = [this](const std::string& job_id, std::string_view token) -> Status {
    const std::lock_guard lock(ledgers_mutex_);
    const auto ledger = ledgers_.find(job_id);
    if (ledger == ledgers_.end()) return Error{Code::not_found, "no such job: " + job_id};
    Status recorded = ledger->second->record_checkpoint(job_id, token);
    if (recorded) known_at_provider_.insert(job_id);
    return recorded;
  };
  services.should_stop = [this] { return stop_.requested(); };
  services.scratch_folder = run_.folder() / "logs" / engine_.engine_id;
  services.cache_folder = services.scratch_folder;
  return services;
}

// Out of memory, it is tried again with less of what the plugin marks as parallelism or offload;
// nothing else is ever lowered, since all else would change the experiment.
Status EngineRun::open_engine() {
  while (true) {
    BackendServices given = services();
    if (Status made = make_folders(given.scratch_folder); !made) return made;
    Result<std::unique_ptr<Backend>> opened = options_.open(engine_, std::move(given));
    if (opened) {
      backend_ = std::move(opened).value();
      break;
    }
    Error error = std::move(opened).error();
    if (error.code != Code::resource) return error;
    Result<bool> lowered = lower_memory(error);
    if (!lowered) return std::move(lowered).error();
    if (!*lowered) return error;
  }
  if (Status known = take_identity(); !known) return known;
  observer_.engine_ready(engine_, identity_);
  const std::optional<std::uint64_t> taken = backend_->peak_memory_bytes();
  if (taken && loaded_) loaded_(*taken);
  return ok;
}

Status EngineRun::take_identity() {
  Result<std::string> identity = backend_->engine_identity();
  if (!identity) return std::move(identity).error();
  if (!identity_.empty() && *identity != identity_) {
    return Error{Code::state, "the engine changed while it was started again: " + identity_ +
                                  " before, " + *identity + " now"};
  }
  identity_ = std::move(identity).value();
  return ok;
}

Result<bool> EngineRun::lower_memory(const Error& shortage) {
  if (!options_.lower_memory || stop_.requested()) return false;
  const std::optional<std::string> lowered = options_.lower_memory(engine_);
  if (!lowered) return false;
  observer_.message(Severity::warning, engine_.model + " ran out of memory (" + shortage.text +
                                           "); trying again with " + *lowered);
  engine_.options_json = *lowered;
  Status noted = run_.record_phase({memory_record, engine_.engine_id, *lowered, "{}", utc_now()});
  if (!noted) return std::move(noted).error();
  return true;
}

// All arms of the engine, complete ones too: a pair whose control another engine answered is no
// comparison of prompts.
Status EngineRun::check_engine_of_arms() {
  if (options_.reach == Reach::cancel_only) return ok;  // nothing is asked of the engine
  std::string first;
  std::vector<ArmRun*> others;
  for (auto& [id, arm] : arms_) {
    Result<std::unique_ptr<ArmStore>> store = run_.open_arm_read_only(arm->spec());
    if (!store) return std::move(store).error();
    Result<std::string> recorded = (*store)->engine_identity();
    if (!recorded) return std::move(recorded).error();
    if (recorded->empty() || *recorded == identity_) continue;
    if (first.empty()) first = *recorded;
    others.push_back(arm.get());
  }
  if (others.empty()) return ok;
  if (!options_.accept_engine_change) {
    return Error{Code::state, "the engine changed: " + std::to_string(others.size()) +
                                  " arms were answered by " + first + ", now it is " + identity_ +
                                  "; bring the former engine back, or start these arms again with "
                                  "--accept_engine_change (their answers are kept aside)"};
  }
  // A store that is put aside takes its ledger with it.
  const bool outlive = backend_->facts().remote && backend_->facts().resumes;
  if (outlive && std::any_of(others.begin(), others.end(),
                             [](const ArmRun* arm) { return arm->has_left_jobs(); })) {
    return Error{Code::state,
                 "jobs of the former engine are still open at " + engine_.backend +
                     "; cancel them with promptsweep stop --cancel_remote, which keeps what they "
                     "answered, and then start again with --accept_engine_change"};
  }
  for (ArmRun* arm : others) {
    if (Status again = start_again(*arm); !again) return again;
    progress_.accepted -= arm->accepted();
    if (Status read = arm->refresh(); !read) return read;
  }
  return start_arms_of_other_trials_again();
}

Status EngineRun::start_again(ArmRun& arm) {
  Result<std::filesystem::path> aside = arm.set_aside();
  if (!aside) return std::move(aside).error();
  observer_.message(Severity::warning, "the engine changed; arm " + arm.spec().arm_id +
                                           " starts again, its former answers are in " +
                                           aside->string());
  const Result<std::unique_ptr<ItemSource>> items = run_.items_of(arm.spec().arm_id);
  if (!items) return items.error();
  return build_arm(run_, arm.spec(), engine_, **items);
}

// Trials of the run that this command does not ask for share controls with those it does: a pair
// must not keep one arm of the former engine.
Status EngineRun::start_arms_of_other_trials_again() {
  const Result<RunPlan> recorded = run_.plan();
  if (!recorded) return recorded.error();
  std::set<std::string> live;
  for (const TrialSpec& trial : recorded->trials) {
    if (trial.superseded) continue;
    for (const ArmPair& pair : trial.pairs)
      live.insert({pair.control_arm_id, pair.treatment_arm_id});
  }
  for (const ArmSpec& spec : recorded->arms) {
    std::error_code ignored;
    if (spec.engine_id != engine_.engine_id || arms_.contains(spec.arm_id) ||
        !live.contains(spec.arm_id) ||
        !std::filesystem::exists(run_.folder() / spec.store_path, ignored))
      continue;
    Result<std::unique_ptr<ArmStore>> store = run_.open_arm_read_only(spec);
    if (!store) return std::move(store).error();
    const Result<std::string> identity = (*store)->engine_identity();
    if (!identity) return identity.error();
    store->reset();
    if (identity->empty() || *identity == identity_) continue;
    Result<std::unique_ptr<ArmRun>> arm = ArmRun::load(run_, spec);
    if (!arm) return std::move(arm).error();
    if ((*arm)->has_left_jobs()) {
      return Error{Code::state, "arm " + spec.arm_id +
                                    " of another trial has open jobs of the former engine; run "
                                    "the whole sweep with --accept_engine_change"};
    }
    if (Status again = start_again(**arm); !again) return again;
  }
  return ok;
}

void EngineRun::report(bool force) {
  const std::int64_t now = monotonic_us();
  if (!force && now - last_report_us_ < report_interval_us) return;
  last_report_us_ = now;
  progress_.seconds = static_cast<double>(now - ready_us_) / 1e6;
  observer_.engine_progress(engine_, progress_);
}

}  // namespace promptsweep
