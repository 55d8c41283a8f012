// SPDX-License-Identifier: Apache-2.0
#include "run/engine_run.h"

#include <algorithm>

#include "base/digest.h"
#include "base/env.h"

namespace promptsweep {
namespace {

constexpr std::uint64_t records_per_fetch = 1024;
constexpr std::uint32_t fetch_budget_ms = 20;
constexpr std::int64_t report_interval_us = 200'000;
constexpr int empty_streak_to_warn_of = 20;

std::string job_id_of(const PlannedJob& job, std::int64_t round) {
  FieldHash hash;
  hash.add("job").add(job.arm_id).add(to_string(job.type)).add(round);
  for (const RequestRow& row : job.rows) hash.add(row.request_id);
  return content_id(hash.bytes());
}

}  // namespace

EngineRun::EngineRun(RunStore& run, const RunPlan& plan, const EngineSpec& engine,
                     const ItemIndex& items, const ExecuteOptions& options, Observer& observer,
                     const StopFlag& stop)
    : run_(run),
      plan_(plan),
      engine_(engine),
      items_(items),
      options_(options),
      observer_(observer),
      stop_(stop) {}

Result<bool> EngineRun::load() {
  bool has_open_jobs = false;
  std::set<std::string> wanted;
  for (const Block& block : plan_.blocks) wanted.insert(block.arm_id);
  for (const ArmSpec& spec : plan_.arms) {
    if (spec.engine_id != engine_.engine_id || !wanted.contains(spec.arm_id)) continue;
    Result<std::unique_ptr<ArmRun>> arm = ArmRun::load(run_, spec);
    if (!arm) return std::move(arm).error();
    progress_.expected += (*arm)->expected();
    progress_.accepted += (*arm)->accepted();
    has_open_jobs = has_open_jobs || !(*arm)->left_open().empty();
    arms_.emplace(spec.arm_id, std::move(arm).value());
  }
  return !complete() && (options_.reach != Reach::poll_only || has_open_jobs);
}

bool EngineRun::complete() const {
  return std::all_of(arms_.begin(), arms_.end(),
                     [](const auto& arm) { return arm.second->complete(); });
}

Status EngineRun::execute() {
  if (Status opened = open_engine(); !opened) return opened;
  ready_us_ = monotonic_us();
  if (Status settled = settle_left_open_jobs(); !settled) return settled;
  if (options_.reach != Reach::poll_only) plan_remaining();
  const bool leave_when_accepted = options_.reach == Reach::submit_only && leaves_jobs_running();
  Status result = ok;
  while (result && !stop_.requested()) {
    result = start_jobs();
    const bool all_offered = queue_.empty() && suspects_.empty();
    if (result && all_offered && (active_.empty() || leave_when_accepted)) break;
    if (result) result = take_results();
    if (backend_->lost()) result = recover_from_loss();
    report(false);
  }
  Status ended = wind_down();
  report(true);
  observer_.engine_finished(engine_, progress_);
  return result ? ended : result;
}

Status EngineRun::open_engine() {
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
    const auto job = active_.find(job_id);
    if (job == active_.end()) return Error{Code::not_found, "no such job: " + job_id};
    Result<ArmStore*> store = job->second.arm->store();
    if (!store) return std::move(store).error();
    return (*store)->record_checkpoint(job_id, token);
  };
  services.should_stop = [this] { return stop_.requested(); };
  services.scratch_folder = run_.folder() / "logs" / engine_.engine_id;
  services.cache_folder = run_.folder() / "logs" / engine_.engine_id;
  if (Status made = make_folders(services.scratch_folder); !made) return made;

  Result<std::unique_ptr<Backend>> opened = options_.open(engine_, std::move(services));
  if (!opened) return std::move(opened).error();
  backend_ = std::move(opened).value();
  Result<std::string> identity = backend_->engine_identity();
  if (!identity) return std::move(identity).error();
  identity_ = std::move(identity).value();
  observer_.engine_ready(engine_, identity_);
  return ok;
}

// Jobs of an earlier process: a backend that resumes gets them again under the same id and attaches
// to what it had; of any other backend nothing is left, and their requests are offered anew.
Status EngineRun::settle_left_open_jobs() {
  for (auto& [id, arm] : arms_) {
    for (const JobRow& row : arm->left_open()) {
      Result<ArmStore*> store = arm->store();
      if (!store) return std::move(store).error();
      Result<std::vector<std::string>> ids = (*store)->job_requests(row.job_id);
      if (!ids) return std::move(ids).error();
      const std::set<std::string> members(ids->begin(), ids->end());

      ActiveJob job;
      job.job_id = row.job_id;
      job.arm = arm.get();
      job.requests_path = arm->folder() / row.requests_file;
      std::error_code ignored;
      const bool can_attach =
          backend_->facts().resumes && std::filesystem::exists(job.requests_path, ignored);
      if (!can_attach) {
        if (Status ended = (*store)->record_job_terminal(row.job_id, "lost with its process");
            !ended)
          return ended;
        continue;
      }
      for (const RequestRow& request : arm->rows()) {
        if (members.contains(request.request_id)) {
          job.rows.push_back(request);
          job.unanswered.insert(request.request_id);
        }
      }
      JobRequest again;
      again.job_id = row.job_id;
      again.requests_path = std::filesystem::absolute(job.requests_path);
      again.request_count = static_cast<std::uint64_t>(row.request_count);
      again.request_bytes = std::filesystem::file_size(job.requests_path, ignored);
      again.requests_sha256 = row.requests_sha256;
      again.resume_token = row.resume_token;
      active_.emplace(job.job_id, std::move(job));
      if (Status submitted = backend_->submit(again); !submitted) return submitted;
      if (Status noted = (*store)->record_job_submitted(row.job_id); !noted) return noted;
    }
  }
  return ok;
}

void EngineRun::plan_remaining() {
  std::set<std::string> in_active;
  for (const auto& [id, job] : active_) {
    for (const RequestRow& row : job.rows) in_active.insert(row.request_id);
  }
  std::map<std::string, std::vector<RequestRow>> rows;
  std::map<std::string, std::vector<std::string>> pending;
  for (const auto& [id, arm] : arms_) {
    rows[id] = arm->rows();
    std::set<std::string> left_open;
    // Requests of jobs that were just given up are pending again, though the list was read before.
    for (const std::string& request : arm->pending()) left_open.insert(request);
    if (!arm->left_open().empty()) {
      Result<ArmStore*> store = arm->store();
      if (store) {
        if (Result<std::vector<RequestRow>> now = (*store)->pending(); now) {
          for (const RequestRow& row : *now) left_open.insert(row.request_id);
        }
      }
    }
    for (const std::string& request : left_open) {
      if (!in_active.contains(request)) pending[id].push_back(request);
    }
  }
  const BackendFacts& facts = backend_->facts();
  JobLimits limits;
  limits.whole_arms = !facts.partial_fetch;
  limits.max_requests = facts.max_requests_per_job;
  if (options_.lines_per_part) {
    const auto lines = static_cast<std::uint64_t>(*options_.lines_per_part);
    limits.max_requests = limits.max_requests == 0 ? lines : std::min(limits.max_requests, lines);
  }
  limits.max_bytes = facts.max_job_bytes;
  limits.preferred_requests = facts.preferred_requests_per_job;
  limits.bytes_of = [this](const std::string& arm_id, const RequestRow& row) -> std::uint64_t {
    const Item* item = items_.find(row.item_key);
    if (item == nullptr) return 0;
    return request_line(arms_.at(arm_id)->spec(), engine_.model, *item, row.request_id, row.seed)
               .size() +
           1;
  };
  queue_ = plan_jobs(plan_.blocks, rows, pending, limits);
}

bool EngineRun::leaves_jobs_running() const {
  return backend_->facts().remote && backend_->facts().resumes;
}

bool EngineRun::may_start() const {
  const BackendFacts& facts = backend_->facts();
  std::size_t limit = static_cast<std::size_t>(std::max(1, options_.max_concurrent_jobs));
  if (!facts.concurrent_jobs) limit = 1;
  limit = std::min<std::size_t>(limit, std::max<std::uint32_t>(1, facts.max_concurrent_jobs));
  return active_.size() < limit;
}

Status EngineRun::start_jobs() {
  while (!suspects_.empty()) {
    if (!active_.empty()) return ok;
    PlannedJob job = std::move(suspects_.front());
    suspects_.pop_front();
    return start_job(std::move(job), true);
  }
  const bool suspect_runs = !active_.empty() && active_.begin()->second.alone;
  while (!suspect_runs && !queue_.empty() && may_start() && !stop_.requested()) {
    // Blocked: an arm begins when the one before has ended.
    const ArmRun& arm = *arms_.at(queue_.front().arm_id);
    const bool other_runs = !active_.empty() && !arm_has_jobs(arm, "");
    if (plan_.order == "blocked" && other_runs) return ok;
    PlannedJob job = std::move(queue_.front());
    queue_.pop_front();
    if (Status started = start_job(std::move(job), false); !started) return started;
    if (backend_->lost()) return ok;
  }
  return ok;
}

Result<JobRequest> EngineRun::write_job(ActiveJob& job, ArmStore& store) {
  Result<RequestFile> file =
      write_request_file(job.requests_path, job.arm->spec(), engine_.model, items_, job.rows);
  if (!file) return std::move(file).error();
  JobRow row;
  row.job_id = job.job_id;
  row.type = job.rows.front().type;
  row.state = "intended";
  row.requests_file = std::filesystem::relative(job.requests_path, job.arm->folder()).string();
  row.requests_sha256 = file->sha256;
  row.numerics_json = options_.numerics ? options_.numerics(engine_) : "{}";
  row.request_count = static_cast<std::int64_t>(job.rows.size());
  row.created_unix_us = unix_us_now();
  std::vector<std::string> ids;
  for (const RequestRow& request : job.rows) ids.push_back(request.request_id);
  if (Status noted = store.record_job_intent(row, ids); !noted) return std::move(noted).error();
  JobRequest request;
  request.job_id = job.job_id;
  request.requests_path = std::filesystem::absolute(job.requests_path);
  request.request_count = file->count;
  request.request_bytes = file->bytes;
  request.requests_sha256 = file->sha256;
  return request;
}

Status EngineRun::start_job(PlannedJob planned, bool alone) {
  ArmRun& arm = *arms_.at(planned.arm_id);
  if (!arm.is_open()) observer_.arm_started(arm.spec());
  Result<ArmStore*> store = arm.store();
  if (!store) return std::move(store).error();
  if (Status same = (*store)->record_engine_identity(identity_); !same) {
    return std::move(same).error().in("arm " + planned.arm_id);
  }
  Result<std::int64_t> round = (*store)->job_rounds(planned.type);
  if (!round) return std::move(round).error();

  ActiveJob job;
  job.job_id = job_id_of(planned, *round);
  job.arm = &arm;
  job.alone = alone;
  job.rows = std::move(planned.rows);
  for (const RequestRow& row : job.rows) job.unanswered.insert(row.request_id);
  job.requests_path = arm.folder() / "jobs" / (job.job_id + ".jsonl");
  Result<JobRequest> request = write_job(job, **store);
  if (!request) return std::move(request).error();

  // In the table before it is sent: a checkpoint may arrive while submit still runs.
  const std::string id = job.job_id;
  progress_.in_flight += static_cast<std::int64_t>(job.rows.size());
  ActiveJob& kept = active_.emplace(id, std::move(job)).first->second;
  Status submitted = backend_->submit(*request);
  if (submitted) return (*store)->record_job_submitted(id);
  if (backend_->lost()) return ok;  // recover_from_loss offers it again
  Error error = std::move(submitted).error();
  kept.unanswered.clear();
  Status ended = finish_job(kept, "refused");
  active_.erase(id);
  if (!ended) return ended;
  return std::move(error).in("the backend " + engine_.backend + " refused a job of " +
                             arm.spec().prompt_set);
}

Status EngineRun::take_results() {
  std::vector<std::string> ids;
  for (const auto& [id, job] : active_) ids.push_back(id);
  for (const std::string& id : ids) {
    const auto found = active_.find(id);
    if (found == active_.end()) continue;
    if (Status taken = take(found->second); !taken) {
      if (backend_->lost()) return ok;
      return taken;
    }
    if (backend_->lost()) return ok;
  }
  return ok;
}

Status EngineRun::take(ActiveJob& job) {
  // The state is read before the last fetch, so that a job seen as ended has nothing left behind.
  Result<JobStatus> status = backend_->poll(job.job_id);
  if (!status) return std::move(status).error();
  Status stored = ok;
  const ResultSink sink = [&](ResultRow row) {
    stored = accept(job, std::move(row));
    return stored;
  };
  Result<FetchResult> fetched = backend_->fetch(
      job.job_id, records_per_fetch, is_terminal(status->state) ? 0 : fetch_budget_ms, sink);
  if (!stored) return stored;
  if (!fetched) return std::move(fetched).error();
  if (!is_terminal(status->state) || fetched->more || fetched->delivered > 0) return ok;

  if (status->failure)
    observer_.message(Severity::warning, "job " + job.job_id + ": " + status->failure->text);
  if (Status closed = backend_->close(job.job_id); !closed) return closed;
  const std::string id = job.job_id;
  Status ended = finish_job(job, to_string(status->state));
  active_.erase(id);
  return ended;
}

Status EngineRun::accept(ActiveJob& job, ResultRow row) {
  const std::string id = row.request_id;
  if (job.unanswered.erase(id) == 0) {
    observer_.message(Severity::warning, "the backend answered " + id + ", which job " +
                                             job.job_id +
                                             " does not wait for; the answer is dropped");
    return ok;
  }
  row.job_id = job.job_id;
  const Outcome outcome = row.outcome;
  Result<ArmStore*> store = job.arm->store();
  if (!store) return std::move(store).error();
  if (Status put = (*store)->put_result(row); !put) {
    job.unanswered.insert(id);
    return put;
  }
  --progress_.in_flight;
  if (!is_final(outcome)) {
    job.transient.push_back(id);
    return ok;
  }
  job.arm->count_accepted(id);
  ++progress_.accepted;
  ++progress_.accepted_now;
  if (outcome != Outcome::ok) ++progress_.not_ok_now;
  empty_streak_ = outcome == Outcome::empty ? empty_streak_ + 1 : 0;
  if (empty_streak_ >= empty_streak_to_warn_of && !warned_of_empty_ && !backend_->facts().remote) {
    warned_of_empty_ = true;
    observer_.message(Severity::warning,
                      engine_.model + " gave " + std::to_string(empty_streak_) +
                          " empty answers in a row; a local engine does that when memory is short");
  }
  return ok;
}

void EngineRun::offer_again(ActiveJob& job, const std::vector<std::string>& ids) {
  if (options_.reach == Reach::poll_only) return;  // pending, for an invocation that submits
  const std::set<std::string> wanted(ids.begin(), ids.end());
  PlannedJob again{job.arm->spec().arm_id, job.rows.front().type, {}};
  for (const RequestRow& row : job.rows) {
    if (!wanted.contains(row.request_id)) continue;
    if (job.arm->count_failed_offer(row.request_id) > options_.retries) {
      ++gave_up_;
    } else {
      ++progress_.retried_now;
      again.rows.push_back(row);
    }
  }
  if (!again.rows.empty()) queue_.push_back(std::move(again));
}

// The job is over: what has no record is missing, and what has no final result is offered again
// while its budget lasts.
Status EngineRun::finish_job(ActiveJob& job, std::string_view how) {
  Result<ArmStore*> store = job.arm->store();
  if (!store) return std::move(store).error();
  std::vector<std::string> again = job.transient;
  for (const std::string& id : job.unanswered) {
    ResultRow row;
    row.request_id = id;
    row.outcome = job.cancelled ? Outcome::cancelled : Outcome::missing;
    row.error = "the job ended without a record of this request";
    row.job_id = job.job_id;
    row.finished_unix_us = unix_us_now();
    if (Status put = (*store)->put_result(row); !put) return put;
    --progress_.in_flight;
    again.push_back(id);
  }
  job.unanswered.clear();
  if (Status flushed = (*store)->flush(); !flushed) return flushed;
  if (Status ended = (*store)->record_job_terminal(job.job_id, how); !ended) return ended;
  std::error_code ignored;
  std::filesystem::remove(job.requests_path, ignored);
  if (!job.cancelled) offer_again(job, again);
  return close_arm_if_done(*job.arm, job.job_id);
}

bool EngineRun::arm_has_jobs(const ArmRun& arm, const std::string& except) const {
  return std::any_of(active_.begin(), active_.end(), [&](const auto& entry) {
    return entry.second.arm == &arm && entry.first != except;
  });
}

Status EngineRun::close_arm_if_done(ArmRun& arm, const std::string& ended_job) {
  if (!arm.complete() || !arm.is_open() || arm_has_jobs(arm, ended_job)) return ok;
  if (Status closed = arm.close(); !closed) return closed;
  std::error_code ignored;
  std::filesystem::remove(arm.folder() / "jobs", ignored);  // only when empty
  observer_.arm_finished(arm.spec());
  return ok;
}

// What had been delivered stays. Requests that had begun are suspects and go alone; the rest of the
// lost jobs was only waiting and is offered again without a mark against it.
Status EngineRun::recover_from_loss() {
  std::map<std::string, std::set<std::uint64_t>> begun;
  for (const Backend::Begun& one : backend_->begun_when_lost())
    begun[one.job_id].insert(one.request_index);

  std::map<std::string, ActiveJob> lost = std::move(active_);
  active_.clear();
  for (auto& [id, job] : lost) {
    Result<ArmStore*> store = job.arm->store();
    if (!store) return std::move(store).error();
    PlannedJob waiting{job.arm->spec().arm_id, job.rows.front().type, {}};
    for (std::size_t i = 0; i < job.rows.size(); ++i) {
      const RequestRow& row = job.rows[i];
      const bool transient = std::find(job.transient.begin(), job.transient.end(),
                                       row.request_id) != job.transient.end();
      if (!transient && !job.unanswered.contains(row.request_id)) continue;
      if (!transient) --progress_.in_flight;
      const bool suspect = job.unanswered.contains(row.request_id) &&
                           (job.rows.size() == 1 || begun[id].contains(i));
      if (!suspect && !transient) {
        waiting.rows.push_back(row);
        continue;
      }
      if (suspect) {
        ResultRow attempt;
        attempt.request_id = row.request_id;
        attempt.outcome = Outcome::error_backend;
        attempt.error = "the backend's process died while this request ran";
        attempt.job_id = id;
        attempt.finished_unix_us = unix_us_now();
        if (Status put = (*store)->put_result(attempt); !put) return put;
      }
      if (job.arm->count_failed_offer(row.request_id) > options_.retries) {
        ++gave_up_;
      } else {
        ++progress_.retried_now;
        suspects_.push_back({job.arm->spec().arm_id, row.type, {row}});
      }
    }
    if (Status flushed = (*store)->flush(); !flushed) return flushed;
    if (Status ended = (*store)->record_job_terminal(id, "lost with its backend"); !ended)
      return ended;
    std::error_code ignored;
    std::filesystem::remove(job.requests_path, ignored);
    if (!waiting.rows.empty()) queue_.push_front(std::move(waiting));
  }
  observer_.message(Severity::warning, "the process of the backend " + engine_.backend +
                                           " died; starting it again, nothing finished is lost");
  if (Status reopened = backend_->reopen(); !reopened) return reopened;
  Result<std::string> identity = backend_->engine_identity();
  if (!identity) return std::move(identity).error();
  if (*identity != identity_) {
    return Error{Code::state, "the engine changed while it was started again: " + identity_ +
                                  " before, " + *identity + " now"};
  }
  return ok;
}

// After a stop or an error: jobs are cancelled, what they finish within the grace is kept, and
// every store is closed.
Status EngineRun::wind_down() {
  // A remote job outlives this process: it stays in the ledger and the next run attaches to it.
  if (leaves_jobs_running()) active_.clear();
  for (auto& [id, job] : active_) {
    job.cancelled = true;
    if (Status cancelled = backend_->cancel(id); !cancelled) {
      observer_.message(Severity::debug, cancelled.error().text);
    }
  }
  const std::int64_t deadline = monotonic_us() + options_.stop_grace_us;
  while (!active_.empty() && !backend_->lost() && monotonic_us() < deadline) {
    if (Status taken = take_results(); !taken) break;
  }
  backend_.reset();  // unloads the model; its process ends
  Status result = ok;
  for (auto& [id, job] : active_) {
    if (Status ended = finish_job(job, "abandoned at a stop"); !ended && result)
      result = std::move(ended);
  }
  active_.clear();
  for (auto& [id, arm] : arms_) {
    if (Status closed = arm->close(); !closed && result) result = std::move(closed);
  }
  return result;
}

void EngineRun::report(bool force) {
  const std::int64_t now = monotonic_us();
  if (!force && now - last_report_us_ < report_interval_us) return;
  last_report_us_ = now;
  progress_.seconds = static_cast<double>(now - ready_us_) / 1e6;
  observer_.engine_progress(engine_, progress_);
}

}  // namespace promptsweep
