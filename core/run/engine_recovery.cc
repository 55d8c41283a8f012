// SPDX-License-Identifier: Apache-2.0
// What goes wrong around jobs: an earlier process left some open, the backend's process dies,
// memory is short, somebody wants to stop.
#include <algorithm>

#include "base/env.h"
#include "prompt/render.h"
#include "run/engine_run.h"

namespace promptsweep {

Status EngineRun::settle_left_open_jobs() {
  for (auto& [id, arm] : arms_) {
    if (arm->complete() || !(arm->has_left_jobs() || arm->is_open())) continue;
    Result<ArmStore*> store = arm->store();
    if (!store) return std::move(store).error();
    Result<std::vector<JobRow>> left_open = (*store)->open_jobs();
    if (!left_open) return std::move(left_open).error();
    for (const JobRow& row : *left_open) {
      if (Status settled = settle(*arm, row); !settled) return settled;
    }
  }
  return ok;
}

// A backend that resumes gets the job again under the same id and attaches to what it had; of any
// other backend nothing is left, and the job's requests are offered anew.
Status EngineRun::settle(ArmRun& arm, const JobRow& row) {
  if (backend_->facts().resumes) return attach(arm, row);
  if (backend_->facts().remote) {
    observer_.message(Severity::warning, "job " + row.job_id + " of an earlier process cannot be " +
                                             "found again at " + engine_.backend +
                                             "; its requests are sent and paid a second time");
  }
  Result<ArmStore*> store = arm.store();
  if (!store) return std::move(store).error();
  std::error_code ignored;
  std::filesystem::remove(arm.folder() / row.requests_file, ignored);
  return (*store)->record_job_terminal(row.job_id, "lost with its process");
}

// What is known of a job that an earlier process left. Its request file is what was sent, byte for
// byte; a lost one is written again from the same rows.
Result<EngineRun::ActiveJob> EngineRun::left_job(ArmRun& arm, const JobRow& row) {
  Result<ArmStore*> store = arm.store();
  if (!store) return std::move(store).error();
  ActiveJob job;
  job.job_id = row.job_id;
  job.arm = &arm;
  job.requests_path = arm.folder() / row.requests_file;
  Result<std::vector<RequestRow>> rows = (*store)->job_requests(row.job_id);
  if (!rows) return std::move(rows).error();
  job.rows = std::move(rows).value();
  for (std::size_t i = 0; i < job.rows.size(); ++i) {
    const std::string& id = job.rows[i].request_id;
    Result<std::optional<ArmStore::AcceptedResult>> known = (*store)->accepted(id);
    if (!known) return std::move(known).error();
    if (!*known) job.unanswered.emplace(id, i);
  }
  std::error_code ignored;
  if (!std::filesystem::exists(job.requests_path, ignored)) {
    Result<RequestFile> file =
        write_request_file(job.requests_path, arm.spec(), engine_.model, items_, job.rows);
    if (!file) return std::move(file).error();
    if (file->sha256 != row.requests_sha256) {
      return Error{Code::data, "the requests of job " + row.job_id +
                                   " cannot be written again as they were sent"};
    }
  }
  job.request.job_id = row.job_id;
  job.request.requests_path = absolute_path(job.requests_path);
  job.request.request_count = static_cast<std::uint64_t>(row.request_count);
  job.request.request_bytes = std::filesystem::file_size(job.requests_path, ignored);
  job.request.requests_sha256 = row.requests_sha256;
  job.request.resume_token = row.resume_token;
  return job;
}

// The job is looked up first and never created blindly.
Status EngineRun::attach(ArmRun& arm, const JobRow& row) {
  Result<ActiveJob> job = left_job(arm, row);
  if (!job) return std::move(job).error();
  job->request.attach_only = true;
  job->looking_up = true;
  // Or nothing shows yet that the provider ever had it: the backend took it, and died before.
  job->may_be_made = row.state == "intended" ||
                     (row.resume_token.empty() && job->unanswered.size() == job->rows.size());
  progress_.in_flight += static_cast<std::int64_t>(job->unanswered.size());
  Result<ArmStore*> store = arm.store();
  if (!store) return std::move(store).error();
  ActiveJob& kept = activate(std::move(job).value(), *store);
  const Status submitted = backend_->submit(kept.request);
  if (!submitted && submitted.error().code == Code::not_found) return not_at_provider(kept);
  if (!submitted) {
    progress_.in_flight -= static_cast<std::int64_t>(kept.unanswered.size());
    retire(row.job_id);
    return backend_->lost() ? ok : submitted;  // still in the ledger: recover_from_loss settles it
  }
  return ok;
}

// Where only its intent is on record, it is now created under the very same key, so that a request
// which is still on its way to the provider meets this one and not a second job. One that had been
// accepted and is gone is over, and its requests are offered again in another.
Status EngineRun::not_at_provider(ActiveJob& job) {
  Result<ArmStore*> store = job.arm->store();
  if (!store) return std::move(store).error();
  if (job.may_be_made && makes_jobs() && !job.cancelled && !stop_.requested()) {
    job.request.attach_only = false;
    job.looking_up = job.may_be_made = false;
    if (Status submitted = backend_->submit(job.request); !submitted)
      return backend_->lost() ? ok : submitted;
    return (*store)->record_job_submitted(job.job_id);
  }
  const std::string id = job.job_id;
  PlannedJob again{job.arm->spec().arm_id, job.rows.front().type, {}};
  for (const auto& [request, index] : job.unanswered)
    again.positions.push_back(job.rows[index].position);
  std::sort(again.positions.begin(), again.positions.end());
  progress_.in_flight -= static_cast<std::int64_t>(job.unanswered.size());
  ArmRun& arm = *job.arm;
  std::error_code ignored;
  std::filesystem::remove(job.requests_path, ignored);
  retire(id);
  if (Status ended = (*store)->record_job_terminal(id, "not at the provider"); !ended) return ended;
  if (makes_jobs() && !again.positions.empty()) late_.push_back(std::move(again));
  return close_arm_if_done(arm, id);
}

// What had been delivered stays. Requests that had begun are suspects and go alone; the rest of the
// lost jobs was only waiting and is offered again without a mark against it.
Status EngineRun::recover_from_loss() {
  std::map<std::string, std::vector<bool>> begun;
  for (const auto& [id, job] : active_) begun[id].resize(job.rows.size());
  for (const Backend::Begun& one : backend_->begun_when_lost()) {
    const auto job = begun.find(one.job_id);
    if (job != begun.end() && one.request_index < job->second.size())
      job->second[one.request_index] = true;
  }
  // A provider's jobs outlive the process that watched them.
  const bool outlives = backend_->facts().remote && backend_->facts().resumes;
  const std::map<std::string, ActiveJob> lost = retire_all();
  for (const auto& [id, job] : lost) {
    progress_.in_flight -= static_cast<std::int64_t>(job.unanswered.size());
    if (outlives) continue;
    if (Status queued = requeue_lost(job, begun[id]); !queued) return queued;
  }
  observer_.message(Severity::warning, "the process of the backend " + engine_.backend +
                                           " died; starting it again, nothing finished is lost");
  if (Status reopened = backend_->reopen(); !reopened) return reopened;
  if (Status same = take_identity(); !same) return same;
  return outlives ? settle_left_open_jobs() : ok;
}

Status EngineRun::requeue_lost(const ActiveJob& job, const std::vector<bool>& begun) {
  Result<ArmStore*> store = job.arm->store();
  if (!store) return std::move(store).error();
  const std::string& arm_id = job.arm->spec().arm_id;
  PlannedJob waiting{arm_id, job.rows.front().type, {}};
  for (std::size_t i = 0; i < job.rows.size(); ++i) {
    const RequestRow& row = job.rows[i];
    const bool unanswered = job.unanswered.contains(row.request_id);
    const bool transient =
        std::find(job.transient.begin(), job.transient.end(), i) != job.transient.end();
    if (!unanswered && !transient) continue;
    const bool suspect = unanswered && (job.rows.size() == 1 || begun[i]);
    if (!suspect && !transient) {
      waiting.positions.push_back(row.position);
      continue;
    }
    if (suspect) {
      ResultRow attempt;
      attempt.request_id = row.request_id;
      attempt.outcome = Outcome::error_backend;
      attempt.error = "the backend's process died while this request ran";
      attempt.job_id = job.job_id;
      attempt.finished_unix_us = unix_us_now();
      if (Status put = (*store)->put_result(attempt); !put) return put;
    }
    if (makes_jobs() && may_offer_again(*job.arm, row.position))
      suspects_.push_back({arm_id, row.type, {row.position}});
  }
  if (Status flushed = (*store)->flush(); !flushed) return flushed;
  if (Status ended = (*store)->record_job_terminal(job.job_id, "lost with its backend"); !ended)
    return ended;
  std::error_code ignored;
  std::filesystem::remove(job.requests_path, ignored);
  if (makes_jobs() && !waiting.positions.empty()) queue_.push_front(std::move(waiting));
  return ok;
}

// Nothing is held against the requests that were in flight: it was the engine that was too large.
Status EngineRun::reopen_with_less_memory(const Error& shortage) {
  Result<bool> lowered = lower_memory(shortage);
  if (!lowered) return std::move(lowered).error();
  backend_.reset();
  for (auto& [id, job] : active_) {
    Result<ArmStore*> store = job.arm->store();
    if (!store) return std::move(store).error();
    PlannedJob again{job.arm->spec().arm_id, job.rows.front().type, {}};
    for (const auto& [request, index] : job.unanswered)
      again.positions.push_back(job.rows[index].position);
    for (const std::size_t index : job.transient)
      again.positions.push_back(job.rows[index].position);
    std::sort(again.positions.begin(), again.positions.end());
    progress_.in_flight -= static_cast<std::int64_t>(job.unanswered.size());
    if (Status flushed = (*store)->flush(); !flushed) return flushed;
    if (Status ended = (*store)->record_job_terminal(id, "out of memory"); !ended) return ended;
    std::error_code ignored;
    std::filesystem::remove(job.requests_path, ignored);
    if (!again.positions.empty()) queue_.push_front(std::move(again));
  }
  retire_all();
  if (!*lowered) return shortage;
  return open_engine();
}

// A remote job outlives this process: it stays in the ledger and the next run attaches to it.
void EngineRun::leave_remote_jobs() {
  for (const auto& [id, job] : active_) {
    left_running_ += static_cast<std::int64_t>(job.unanswered.size());
  }
  retire_all();
}

// What jobs finish within the grace is kept.
void EngineRun::cancel_jobs() {
  for (auto& [id, job] : active_) {
    job.cancelled = true;
    job.next_poll_us = 0;
    if (Status cancelled = backend_->cancel(id); !cancelled) {
      observer_.message(Severity::debug, cancelled.error().text);
    }
  }
  const std::int64_t deadline = monotonic_us() + options_.stop_grace_us;
  while (!active_.empty() && !backend_->lost() && monotonic_us() < deadline) {
    if (options_.reach == Reach::cancel_only && stop_.requested()) return;
    if (Status taken = take_results(); !taken) return;
  }
}

// After a stop or an error: jobs are cancelled or left, and every store is closed.
Status EngineRun::wind_down() {
  const bool outlives = backend_ && backend_->facts().remote && backend_->facts().resumes;
  const bool cancel = options_.cancel_remote || options_.reach == Reach::cancel_only;
  if (backend_ && (cancel || !outlives)) cancel_jobs();
  backend_.reset();  // unloads the model; its process ends, and may tell a last checkpoint
  // A provider takes its time to cancel: until it is seen to have ended, a job may still answer.
  if (outlives) leave_remote_jobs();
  Status result = ok;
  for (auto& [id, job] : active_) {
    if (Status ended = finish_job(job, "abandoned at a stop"); !ended && result)
      result = std::move(ended);
  }
  retire_all();
  if (Status concluded = conclude_arms(); !concluded && result) result = std::move(concluded);
  for (auto& [id, arm] : arms_) {
    if (Status closed = arm->close(); !closed && result) result = std::move(closed);
  }
  return result;
}

}  // namespace promptsweep
