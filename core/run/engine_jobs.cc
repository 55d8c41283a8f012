// SPDX-License-Identifier: Apache-2.0
// Jobs of a healthy engine: planned, started, their results taken.
#include <algorithm>
#include <chrono>
#include <thread>

#include "base/digest.h"
#include "base/env.h"
#include "base/fault.h"
#include "prompt/render.h"
#include "run/engine_run.h"

namespace promptsweep {
namespace {

constexpr std::uint64_t records_per_fetch = 1024;
constexpr std::uint32_t fetch_budget_ms = 20;
constexpr int empty_streak_to_warn_of = 20;

// A provider takes the same id for the same job: the store's own name keeps the jobs of other runs,
// and those of a store that was put aside, from being taken for this one.
std::string job_id_of(const std::string& store_id, const std::string& arm_id,
                      const std::vector<RequestRow>& rows, std::int64_t round) {
  FieldHash hash;
  hash.add("job").add(store_id).add(arm_id).add(to_string(rows.front().type)).add(round);
  for (const RequestRow& row : rows) hash.add(row.request_id);
  return content_id(hash.bytes());
}

// A key that is refused, a model that is gone, another engine behind the same address: every
// further job would fail in the same way.
bool asks_for_a_person(Code code) {
  return code == Code::invalid_input || code == Code::not_found || code == Code::state;
}

}  // namespace

Status EngineRun::plan_remaining() {
  ArmRequests requests;
  for (const auto& [id, arm] : arms_) {
    if (arm->complete()) continue;
    if (Status read = arm->refresh(); !read) return read;
    requests.emplace(id, &arm->states());
  }
  const BackendFacts& facts = backend_->facts();
  JobLimits limits;
  limits.whole_arms = !facts.partial_fetch;
  limits.parts = options_.parts_per_dataset.value_or(0);
  limits.max_requests = facts.max_requests_per_job;
  if (options_.lines_per_part) {
    const auto lines = static_cast<std::uint64_t>(*options_.lines_per_part);
    limits.max_requests = limits.max_requests == 0 ? lines : std::min(limits.max_requests, lines);
  }
  limits.max_bytes = facts.max_job_bytes;
  limits.preferred_requests = facts.preferred_requests_per_job;
  std::string of_arm;
  std::unique_ptr<ArmStore> reader;  // asked for one request after the other
  limits.bytes_of = [&](const std::string& arm_id, std::int64_t position) -> std::uint64_t {
    const ArmSpec& arm = arms_.at(arm_id)->spec();
    if (std::exchange(of_arm, arm_id) != arm_id) {
      Result<std::unique_ptr<ArmStore>> opened = run_.open_arm_read_only(arm);
      reader = opened ? std::move(opened).value() : nullptr;
    }
    return reader ? line_bytes(arm, *reader, position) : 0;
  };
  late_.clear();  // pending again, and so among these
  queue_ = plan_jobs(plan_.blocks, requests, limits);
  return ok;
}

// What cannot be read here cannot be written to the request file either, which says why.
std::uint64_t EngineRun::line_bytes(const ArmSpec& arm, ArmStore& store, std::int64_t position) {
  const Result<std::vector<RequestRow>> rows = store.requests_at({position});
  if (!rows) return 0;
  const RequestRow& row = rows->front();
  const Result<std::optional<Item>> item = items_.find(row.item_key);
  if (!item || !*item) return 0;
  return request_line(arm, engine_.model, **item, row.request_id, row.seed).size() + 1;
}

bool EngineRun::may_start() const {
  const BackendFacts& facts = backend_->facts();
  std::size_t limit = static_cast<std::size_t>(std::max(1, options_.max_concurrent_jobs));
  if (!facts.concurrent_jobs) limit = 1;
  limit = std::min<std::size_t>(limit, std::max<std::uint32_t>(1, facts.max_concurrent_jobs));
  return active_.size() < limit;
}

EngineRun::ActiveJob& EngineRun::activate(ActiveJob job, ArmStore* store) {
  const std::string id = job.job_id;
  {
    const std::lock_guard lock(ledgers_mutex_);
    ledgers_[id] = store;
  }
  return active_.emplace(id, std::move(job)).first->second;
}

void EngineRun::close_ledger(const std::string& job_id) {
  const std::lock_guard lock(ledgers_mutex_);
  ledgers_.erase(job_id);
}

void EngineRun::retire(const std::string& job_id) {
  close_ledger(job_id);
  active_.erase(job_id);
}

std::map<std::string, EngineRun::ActiveJob> EngineRun::retire_all() {
  const std::lock_guard lock(ledgers_mutex_);
  ledgers_.clear();
  return std::exchange(active_, {});
}

Status EngineRun::start_jobs() {
  for (; !late_.empty(); late_.pop_front()) queue_.push_back(std::move(late_.front()));
  if (!suspects_.empty()) {
    if (!active_.empty()) return ok;
    const PlannedJob job = std::move(suspects_.front());
    suspects_.pop_front();
    return start_job(job, true);
  }
  const bool suspect_runs = !active_.empty() && active_.begin()->second.alone;
  while (!suspect_runs && !queue_.empty() && may_start() && !stop_.requested()) {
    // Blocked: an arm begins when the one before has ended.
    const ArmRun& arm = *arms_.at(queue_.front().arm_id);
    const bool other_runs = !active_.empty() && !arm_has_jobs(arm, "");
    if (plan_.order == "blocked" && other_runs) return ok;
    const PlannedJob job = std::move(queue_.front());
    queue_.pop_front();
    if (Status started = start_job(job, false); !started) return started;
    if (backend_->lost() || shortage_) return ok;
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
  row.requests_file = job.requests_path.lexically_relative(job.arm->folder()).string();
  row.requests_sha256 = file->sha256;
  row.numerics_json = options_.numerics ? options_.numerics(engine_) : "{}";
  row.request_count = static_cast<std::int64_t>(job.rows.size());
  row.created_unix_us = unix_us_now();
  std::vector<std::string> ids;
  for (const RequestRow& request : job.rows) ids.push_back(request.request_id);
  if (Status noted = store.record_job_intent(row, ids); !noted) return std::move(noted).error();
  JobRequest request;
  request.job_id = job.job_id;
  request.requests_path = absolute_path(job.requests_path);
  request.request_count = file->count;
  request.request_bytes = file->bytes;
  request.requests_sha256 = file->sha256;
  return request;
}

Status EngineRun::start_job(const PlannedJob& planned, bool alone) {
  ArmRun& arm = *arms_.at(planned.arm_id);
  if (!arm.is_open()) observer_.arm_started(arm.spec());
  Result<ArmStore*> store = arm.store();
  if (!store) return std::move(store).error();
  if (Status same = (*store)->record_engine_identity(identity_); !same) {
    return std::move(same).error().in("arm " + planned.arm_id);
  }
  Result<std::int64_t> round = (*store)->job_rounds(planned.type);
  if (!round) return std::move(round).error();
  const Result<std::string> store_id = (*store)->store_id();
  if (!store_id) return store_id.error();
  Result<std::vector<RequestRow>> rows = (*store)->requests_at(planned.positions);
  if (!rows) return std::move(rows).error();

  ActiveJob job;
  job.job_id = job_id_of(*store_id, planned.arm_id, *rows, *round);
  job.arm = &arm;
  job.alone = alone;
  job.rows = std::move(rows).value();
  for (std::size_t i = 0; i < job.rows.size(); ++i)
    job.unanswered.emplace(job.rows[i].request_id, i);
  job.requests_path = arm.folder() / "jobs" / (job.job_id + ".jsonl");
  Result<JobRequest> request = write_job(job, **store);
  if (!request) return std::move(request).error();

  // In the table before it is sent: a checkpoint may arrive while submit still runs.
  const std::string id = job.job_id;
  progress_.in_flight += static_cast<std::int64_t>(job.rows.size());
  job.request = *request;
  ActiveJob& kept = activate(std::move(job), *store);
  fault_point("submit.before");
  Status submitted = backend_->submit(*request);
  fault_point("submit.after");
  if (submitted) return (*store)->record_job_submitted(id);
  if (backend_->lost()) return ok;  // recover_from_loss offers it again
  Error error = std::move(submitted).error();
  if (error.code == Code::resource &&
      !backend_->facts().remote) {  // reopen_with_less_memory offers it again
    shortage_ = std::move(error);
    return ok;
  }
  progress_.in_flight -= static_cast<std::int64_t>(kept.unanswered.size());
  kept.unanswered.clear();
  const bool unclear = error.code == Code::unavailable || error.code == Code::timeout;
  if (backend_->facts().resumes && unclear) {
    retire(id);  // the provider may have it: the ledger keeps it, the next run looks it up
  } else {
    Status ended = finish_job(kept, "refused");
    retire(id);
    if (!ended) return ended;
  }
  return std::move(error).in("the backend " + engine_.backend + " refused a job of " +
                             arm.spec().prompt_set);
}

Status EngineRun::take_results() {
  std::vector<std::string> due;
  const std::int64_t now = monotonic_us();
  for (const auto& [id, job] : active_) {
    if (job.next_poll_us <= now) due.push_back(id);
  }
  const std::int64_t accepted_before = progress_.accepted;
  // A provider asks for some time between two questions; a stop is heard meanwhile.
  if (due.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(fetch_budget_ms));
  for (const std::string& id : due) {
    const auto found = active_.find(id);
    if (found == active_.end()) continue;
    Status taken = take(found->second);
    if (backend_->lost() || shortage_) return ok;
    if (!taken) return taken;
  }
  // Nothing came in: time for what no answer has to wait for.
  return progress_.accepted == accepted_before ? conclude_arms() : Status(ok);
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
  const bool terminal = is_terminal(status->state);
  FetchResult fetched;
  if (terminal || backend_->facts().partial_fetch) {
    Result<FetchResult> got =
        backend_->fetch(job.job_id, records_per_fetch, terminal ? 0 : fetch_budget_ms, sink);
    if (!stored) return stored;
    if (!got) return std::move(got).error();
    fetched = *got;
  }
  if (!terminal && backend_->facts().remote && fetched.delivered == 0) {
    const std::uint32_t wait_ms = std::max(status->next_poll_ms, backend_->facts().min_poll_ms);
    job.next_poll_us = monotonic_us() + std::int64_t{wait_ms} * 1000;
  }
  if (!terminal || fetched.more || fetched.delivered > 0) return ok;

  if (job.looking_up && status->failure && status->failure->code == Code::not_found) {
    if (Status closed = backend_->close(job.job_id); !closed) return closed;
    return not_at_provider(job);
  }
  if (status->failure)
    observer_.message(Severity::warning, "job " + job.job_id + ": " + status->failure->text);
  if (Status closed = backend_->close(job.job_id); !closed) return closed;
  if (status->failure && status->failure->code == Code::resource && !job.cancelled &&
      !backend_->facts().remote) {
    shortage_ = status->failure;
    return ok;
  }
  if (creation_is_unclear(job, *status)) return look_up_again(job);
  if (may_still_run(job, *status)) {
    // The ledger keeps it: a later run attaches, and pays for nothing twice.
    left_running_ += static_cast<std::int64_t>(job.unanswered.size() + job.transient.size());
    progress_.in_flight -= static_cast<std::int64_t>(job.unanswered.size());
    retire(job.job_id);
    return ok;
  }
  const std::string id = job.job_id;
  Status ended = finish_job(job, to_string(status->state));
  retire(id);
  if (ended && status->failure && asks_for_a_person(status->failure->code)) return *status->failure;
  return ended;
}

// A wish to cancel that the provider did not confirm.
bool EngineRun::may_still_run(const ActiveJob& job, const JobStatus& status) const {
  const bool unheard = status.failure && (status.failure->code == Code::unavailable ||
                                          status.failure->code == Code::timeout);
  return job.cancelled && backend_->facts().resumes && (status.remote_may_continue || unheard);
}

bool EngineRun::creation_is_unclear(const ActiveJob& job, const JobStatus& status) const {
  const bool unclear = status.failure && (status.failure->code == Code::unavailable ||
                                          status.failure->code == Code::timeout);
  return unclear && backend_->facts().resumes && !job.cancelled && job.transient.empty() &&
         !job.unanswered.empty();
}

// Never created twice without a look: the same key finds the job or proves that there is none. When
// the provider stays silent the ledger keeps it for the next run.
Status EngineRun::look_up_again(ActiveJob& job) {
  const std::string id = job.job_id;
  Status asked = ok;
  if (++job.look_ups <= options_.retries) {
    job.request.attach_only = true;
    job.looking_up = true;
    // Where an earlier process had answers of it, it was made, and must not be made again.
    job.may_be_made = job.unanswered.size() == job.rows.size();
    asked = backend_->submit(job.request);
    if (asked) return ok;
    if (asked.error().code == Code::not_found) return not_at_provider(job);
  }
  gave_up_ += static_cast<std::int64_t>(job.unanswered.size());
  progress_.in_flight -= static_cast<std::int64_t>(job.unanswered.size());
  retire(id);
  return ok;
}

Status EngineRun::accept(ActiveJob& job, ResultRow row) {
  const std::string id = row.request_id;
  const auto found = job.unanswered.find(id);
  if (found == job.unanswered.end()) {
    // An attached job delivers again what an earlier process had taken from it.
    observer_.message(Severity::debug, "the backend answered " + id + ", which job " + job.job_id +
                                           " does not wait for; the answer is dropped");
    return ok;
  }
  row.job_id = job.job_id;
  const Outcome outcome = row.outcome;
  if (!is_final(outcome)) last_failure_ = row.error;
  Result<ArmStore*> store = job.arm->store();
  if (!store) return std::move(store).error();
  if (Status put = (*store)->put_result(row); !put) return put;
  const std::size_t index = found->second;
  if (std::exchange(job.looking_up, false)) {
    // It was there: should it be gone later, its requests must not be sent as if it had never been.
    job.may_be_made = false;
    if (Status known = (*store)->record_job_submitted(job.job_id); !known) return known;
  }
  job.unanswered.erase(found);
  --progress_.in_flight;
  if (!is_final(outcome)) {
    job.transient.push_back(index);
    return ok;
  }
  job.arm->count_accepted();
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

bool EngineRun::may_offer_again(ArmRun& arm, std::int64_t position) {
  if (arm.count_failed_offer(position) <= options_.retries && retries_.take()) {
    ++progress_.retried_now;
    return true;
  }
  ++gave_up_;
  return false;
}

void EngineRun::offer_again(ActiveJob& job, const std::vector<std::size_t>& indices) {
  if (!makes_jobs()) return;
  PlannedJob again{job.arm->spec().arm_id, job.rows.front().type, {}};
  for (const std::size_t index : indices) {
    const std::int64_t position = job.rows[index].position;
    if (may_offer_again(*job.arm, position)) again.positions.push_back(position);
  }
  std::sort(again.positions.begin(), again.positions.end());
  if (!again.positions.empty()) queue_.push_back(std::move(again));
}

// The job is over: what has no record is missing, and what has no final result is offered again
// while its budget lasts.
Status EngineRun::finish_job(ActiveJob& job, std::string_view how) {
  close_ledger(job.job_id);  // its arm's store may be closed below
  Result<ArmStore*> store = job.arm->store();
  if (!store) return std::move(store).error();
  std::vector<std::size_t> again = job.transient;
  for (const auto& [id, index] : job.unanswered) {
    ResultRow row;
    row.request_id = id;
    row.outcome = job.cancelled ? Outcome::cancelled : Outcome::missing;
    row.error = "the job ended without a record of this request";
    row.job_id = job.job_id;
    row.finished_unix_us = unix_us_now();
    if (Status put = (*store)->put_result(row); !put) return put;
    --progress_.in_flight;
    again.push_back(index);
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
  done_arms_.push_back(&arm);
  // Blocked: one arm after the other, with nothing of the one before left to do.
  return plan_.order == "blocked" ? conclude_arms() : Status(ok);
}

// Copies the answers of complete arms into the cache and closes their stores.
Status EngineRun::conclude_arms() {
  for (ArmRun* arm : std::exchange(done_arms_, {})) {
    if (!arm->is_open()) continue;
    keep_in_cache(*arm);
    if (Status closed = arm->close(); !closed) return closed;
    std::error_code ignored;
    std::filesystem::remove(arm->folder() / "jobs", ignored);  // only when empty
    observer_.arm_finished(arm->spec());
  }
  return ok;
}

}  // namespace promptsweep
