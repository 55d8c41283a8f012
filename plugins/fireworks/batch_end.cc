// SPDX-License-Identifier: Apache-2.0
// What follows the end of a batch job: a continuation, the records of what is left, or the job's
// removal because it was cancelled.
#include "batch_job.h"
#include "ids.h"

namespace fireworks {
namespace {

constexpr std::int64_t stop_bound_ms = 8000;

}  // namespace

// What is unfinished goes on in a job of its own, unless there is nothing left, the provider read
// the file and refused it, or it was told to stop.
std::optional<JobView> BatchJob::next_of_chain(const JobView& view) {
  const bool broke_down =
      view.phase == Phase::failed && view.processed > 0 && view.status_code != "INVALID_ARGUMENT";
  const bool expired = view.phase == Phase::partial && view.state != "OVERDUE";
  const auto n = static_cast<std::uint32_t>(jobs_.size());
  if (results_->remaining() == 0 || !(expired || broke_down)) return std::nullopt;
  if (n > options_.max_continuations) return std::nullopt;
  const std::string id = continuation_id(token_.job, n);
  std::optional<JobView> next = look_up(id);
  if (next) {
    jobs_.push_back(id);
  } else if (work_.attach_only()) {
    // Its creation may have been on its way when an earlier process died.
    next = made_after_all(id);
    if (!next) return std::nullopt;
    jobs_.push_back(id);
  } else {
    work_.log(PSW_LOG_INFO, "the job " + jobs_.back() + " is " + view.state + "; " +
                                std::to_string(results_->remaining()) +
                                " unfinished rows are continued in " + id);
    try {
      next = make(id, continuation_body(options_.account_id, jobs_.back(), "promptsweep"));
    } catch (const psw::Error& error) {
      if (jobs_.back() == id) throw;  // it may be there
      work_.log(PSW_LOG_WARN, "the provider does not continue a job: " + error.text);
      return std::nullopt;
    }
  }
  keep_token(*next);
  return next;
}

void BatchJob::conclude(const JobView& view) {
  results_->release_held();
  if (results_->remaining() == 0) return;
  if (view.phase == Phase::partial) {
    work_.provider_ended(PSW_JOB_EXPIRED);
  } else if (view.phase == Phase::cancelled) {
    work_.provider_ended(PSW_JOB_CANCELLED);
  } else if (view.phase == Phase::failed) {
    const std::string said = view.status_message.empty() ? "no reason given" : view.status_message;
    const std::string sentence = "the provider gave the job up: " + said;
    work_.log(PSW_LOG_ERROR, sentence);
    // A row is refused by who reads the file; what breaks down later is no row's fault.
    const bool in_validation =
        view.processed == 0 &&
        (view.status_code.empty() || view.status_code == "OK" ||
         view.status_code == "INVALID_ARGUMENT" || view.status_code == "FAILED_PRECONDITION");
    if (in_validation) results_->refuse_named(sentence);
    results_->fail_rest(PSW_OUTCOME_ERROR_BACKEND, PSW_E_DATA, sentence);
  } else {
    results_->fail_rest(PSW_OUTCOME_ERROR_BACKEND, PSW_E_DATA,
                        "the provider answered this row neither with a result nor with an error");
  }
}

// Cancelled by the user. What is there is taken first, since deleting may take it away.
void BatchJob::stop() {
  const bool is_left = work_.attach_only() || !work_.resume_token().empty();
  if (jobs_.empty() && is_left) jobs_.push_back(token_.job);
  if (jobs_.empty()) return;
  // Those that an earlier process made, too.
  for (auto n = static_cast<std::uint32_t>(jobs_.size()); n <= token_.continuations; ++n)
    jobs_.push_back(continuation_id(token_.job, n));
  stop_by_unix_ms_ = work_.now_unix_ms() + stop_bound_ms;
  std::set<std::string> ended;  // nothing runs there, and what is not taken yet stays
  try {
    for (const std::string& id : jobs_) {
      if (take_what_is_there(id)) ended.insert(id);
    }
  } catch (const Stopped&) {
    // The time is up for results, and all the more must the job be ended.
    stop_by_unix_ms_ = work_.now_unix_ms() + stop_bound_ms / 2;
  }
  for (const std::string& id : jobs_) {
    if (ended.count(id) != 0) continue;
    const Came came = came_of(control_.delete_job(id));
    // Absent: a creation whose reply was lost may still be on its way.
    if (came != Came::good) work_.set_remote_may_continue();
  }
  work_.provider_ended(PSW_JOB_CANCELLED);
}

// Whether the job has ended by itself.
bool BatchJob::take_what_is_there(const std::string& id) {
  const http::Reply reply = control_.get_job(id);
  if (came_of(reply) == Came::cancelled) throw Stopped{};
  const std::optional<JobView> view = job_in(reply);
  std::string output = view ? view->output_dataset : "";
  if (output.empty() && id == jobs_.back()) output = token_.output;
  if (!output.empty()) take_files(output);
  return view && view->phase != Phase::active && view->phase != Phase::deleting;
}

Leftovers BatchJob::leftovers() const {
  Leftovers out;
  out.jobs = jobs_;
  if (!jobs_.empty()) {
    out.datasets = outputs_;
    out.datasets.push_back(token_.dataset);
    out.all_answered = results_->remaining() == 0 && results_->failed() == 0;
  }
  return out;
}

}  // namespace fireworks
