// SPDX-License-Identifier: Apache-2.0
#include "batch_job.h"

#include <promptsweep/http/error_body.h>
#include <promptsweep/sha256.h>

#include <algorithm>

#include "ids.h"
#include "upload.h"

namespace fireworks {
namespace {

constexpr int looks_after_a_lost_reply = 2;
constexpr int gone_rounds = 3;

std::string hours(double h) {
  std::string text = std::to_string(h);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + " h";
}

}  // namespace

// A place among the jobs of this instance, for as long as it is held.
class BatchJob::Place {
 public:
  explicit Place(Places& places) : places_(places) {}
  ~Place() { places_.give_back(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Places& places_;
};

BatchJob::BatchJob(Work& work, Wire& wire, const Options& options, Places& places,
                   std::filesystem::path scratch_folder)
    : work_(work),
      options_(options),
      places_(places),
      control_(wire, options.base_url, options.account_id,
               [this] {
                 if (stop_by_unix_ms_ == 0) return work_.stopping();
                 return work_.leaving() || work_.now_unix_ms() > stop_by_unix_ms_;
               }),
      patience_(work, options),
      scratch_(std::move(scratch_folder)) {}

BatchJob::~BatchJob() {
  std::error_code ignored;
  std::filesystem::remove(intake_.file, ignored);
}

void BatchJob::run() {
  try {
    live();
  } catch (const Stopped&) {
    // An instance that ends leaves its jobs alone: a later one attaches to them.
    if (!work_.leaving()) stop();
  } catch (const LeftOpen&) {
    throw;
  } catch (const psw::Error& error) {
    if (!may_exist()) throw;
    leave_open(work_, error.text);
  } catch (const std::exception& error) {
    if (!may_exist()) throw;
    leave_open(work_, error.what());
  }
}

// Whatever fails here then, from a full disk on, its requests must not be paid in another job.
bool BatchJob::may_exist() const { return !jobs_.empty() || (work_.attach_only() && !is_absent_); }

void BatchJob::live() {
  prepare();
  std::optional<JobView> view = find_or_make();
  for (const auto& [line, error] : intake_.refused) {
    work_.fail(line, psw::outcome_of(error.code), error.code, error.text);
  }
  if (!view) return;
  while (true) {
    const JobView end = follow(jobs_.back(), *std::move(view));
    take_results(end);
    view = next_of_chain(end);
    if (!view) {
      conclude(end);
      return;
    }
  }
}

void BatchJob::prepare() {
  psw::lines::Sha256 name;
  name.add(work_.idempotency_key());
  intake_.file = scratch_ / ("batch-" + name.hex().substr(0, 16) + ".jsonl");
  intake_ = take_in(work_, intake_.file);
  results_ = std::make_unique<Results>(work_, intake_.index_of);
  token_.job = job_id(work_.idempotency_key(), intake_.lines_hash);
  token_.dataset = dataset_id(work_.idempotency_key(), intake_.rows_hash);
  // An earlier version may have named them otherwise.
  if (const auto kept = read_token(work_.resume_token())) token_ = *kept;
  if (!token_.account.empty() && token_.account != options_.account_id) {
    leave_open(work_, "the job " + token_.job + " is of the account " + token_.account +
                          " and cannot be seen from " + options_.account_id +
                          ": set account_id or FIREWORKS_ACCOUNT_ID back");
  }
}

std::optional<JobView> BatchJob::find_or_make() {
  std::optional<JobView> view = look_up(token_.job);
  if (view) {
    jobs_.push_back(token_.job);
    keep_token(*view);
    return view;
  }
  if (work_.attach_only()) {
    is_absent_ = true;
    throw psw::Error(PSW_E_NOT_FOUND, "the provider has no job " + token_.job);
  }
  if (intake_.rows == 0) return std::nullopt;
  while (!places_.take()) {
    work_.stage("waiting for an earlier job of this instance");
    patience_.wait_briefly();
  }
  place_ = std::make_unique<Place>(places_);
  token_.dataset = Uploader(work_, control_, options_).ensure(intake_, token_.dataset);
  JobView made = make(token_.job, job_body({options_.account_id, options_.model, token_.dataset,
                                            "promptsweep", options_.precision}));
  keep_token(made);
  return made;
}

// nullopt: the provider itself says that there is none.
std::optional<JobView> BatchJob::look_up(const std::string& id) {
  patience_.reset();
  for (int round = 1;; ++round) {
    const http::Reply reply = control_.get_job(id);
    const Came came = came_of(reply);
    if (came == Came::cancelled) throw Stopped{};
    if (came == Came::absent) return std::nullopt;
    if (std::optional<JobView> view = job_in(reply)) return view;
    const bool denied = came == Came::denied || came == Came::refused;
    if (round >= (denied ? denied_rounds : silent_rounds)) leave_unanswered("GET", id, reply);
    work_.stage("the provider does not answer; asking again");
    patience_.wait();
  }
}

// The job is known to be absent when this is called, and is looked up again before each further
// try: a reply that was lost says nothing.
JobView BatchJob::make(const std::string& id, const std::string& body) {
  const std::int64_t since = work_.now_unix_ms();
  jobs_.push_back(id);
  for (int lost = 0;;) {
    const http::Reply reply = control_.create_job(id, body);
    const Came came = came_of(reply);
    if (came == Came::cancelled) throw Stopped{};
    if (const std::optional<JobView> view = job_in(reply)) return checked(id, *view);
    if (came == Came::quota) {
      wait_for_quota(reply, since);
    } else if (came == Came::good || came == Came::exists || came == Came::unclear) {
      ++lost;
    } else if (lost > 0) {  // this one made none; an earlier one may be on its way
      leave_unanswered("POST", id, reply);
    } else {
      jobs_.pop_back();  // it says that it made none
      throw psw::http::to_error(control_.describe("POST", "batchInferenceJobs"), reply);
    }
    if (const std::optional<JobView> view = made_after_all(id)) return checked(id, *view);
    if (lost >= silent_rounds) leave_unanswered("POST", id, reply);
  }
}

// A creation may still be on its way when its reply is lost.
std::optional<JobView> BatchJob::made_after_all(const std::string& id) {
  for (int look = 1;; ++look) {
    std::optional<JobView> view = look_up(id);
    if (view || look >= looks_after_a_lost_reply) return view;
    patience_.wait_briefly();
  }
}

// What carries our name must be our work: the name says so, and so must what it was made of.
JobView BatchJob::checked(const std::string& id, JobView view) {
  if (id == token_.job && !view.input_dataset.empty() && view.input_dataset != token_.dataset) {
    throw psw::Error(PSW_E_STATE, "the provider's job " + id + " is of the dataset " +
                                      view.input_dataset + ", not of " + token_.dataset);
  }
  if (!view.model.empty() && model_resource(view.model) != options_.model) {
    work_.log(PSW_LOG_WARN, "the provider says that the job " + id + " is of the model " +
                                view.model + "; asked for was " + options_.model);
  }
  view.created_unix_ms = work_.now_unix_ms();  // by our clock: the deadline is
  return view;
}

void BatchJob::wait_for_quota(const http::Reply& reply, std::int64_t since_unix_ms) {
  const std::string said = psw::http::parse_error_body(reply.body).message;
  work_.stage("waiting for a free place at the provider: " + said);
  const auto waited_ms = static_cast<double>(work_.now_unix_ms() - since_unix_ms);
  if (waited_ms > options_.deadline_h * 3'600'000) {
    jobs_.pop_back();
    throw psw::Error(PSW_E_RATE_LIMITED, "no free place for a job at the provider within " +
                                             hours(options_.deadline_h) + ": " + said);
  }
  patience_.wait();
}

// Until the job has ended, one way or another.
JobView BatchJob::follow(const std::string& id, JobView view) {
  patience_.reset();
  if (view.created_unix_ms == 0) view.created_unix_ms = work_.now_unix_ms();
  int missing = 0, denied = 0, nameless = 0;
  while (true) {
    tell(id, view);
    const bool active = view.phase == Phase::active || view.phase == Phase::deleting;
    // It may tell a moment later where its results are.
    const bool has_some =
        view.phase == Phase::completed || (view.phase == Phase::partial && view.processed > 0);
    const bool waits_for_name = has_some && view.output_dataset.empty();
    if (!active && !(waits_for_name && ++nameless < silent_rounds)) return view;
    if (active && work_.now_unix_ms() > deadline_of(view)) return overdue(id, view);
    patience_.wait();
    const http::Reply reply = control_.get_job(id);
    const Came came = came_of(reply);
    missing = came == Came::absent ? missing + 1 : 0;
    denied = came == Came::denied ? denied + 1 : 0;
    if (came == Came::cancelled) throw Stopped{};
    if (missing >= gone_rounds) {
      work_.log(PSW_LOG_WARN, "the job " + id + " was deleted at the provider");
      view.phase = Phase::cancelled;
      view.state = "DELETED";
      return view;
    }
    if (std::optional<JobView> now = job_in(reply)) {
      now->created_unix_ms = view.created_unix_ms;
      now->processed = std::max(now->processed, view.processed);
      if (now->output_dataset.empty()) now->output_dataset = view.output_dataset;
      const bool is_news = now->output_dataset != view.output_dataset;
      view = *std::move(now);
      if (is_news) keep_token(view);
      continue;
    }
    const bool too_late = work_.now_unix_ms() > deadline_of(view);
    if (denied >= denied_rounds || too_late) leave_unanswered("GET", id, reply);
    work_.stage("the provider does not answer; the job " + id + " goes on there");
  }
}

// It is not left to run on unseen.
JobView BatchJob::overdue(const std::string& id, const JobView& view) {
  work_.log(PSW_LOG_ERROR,
            "the job " + id + " is still " + view.state + " " + hours(options_.deadline_h) +
                " after it was made and is cancelled; a model that has no batch service stays "
                "PENDING for ever");
  JobView end = view;
  if (!end.output_dataset.empty()) take_files(end.output_dataset);  // deleting may take them away
  if (const Came came = came_of(control_.delete_job(id));
      came != Came::good && came != Came::absent) {
    work_.set_remote_may_continue();
  }
  end.phase = Phase::partial;
  end.state = "OVERDUE";
  return end;
}

std::int64_t BatchJob::deadline_of(const JobView& view) const {
  return view.created_unix_ms + static_cast<std::int64_t>(options_.deadline_h * 3'600'000);
}

void BatchJob::tell(const std::string& id, const JobView& view) {
  const std::string state =
      view.status_message.empty() ? view.state : view.state + ", " + view.status_message;
  work_.stage(id + ": " + state + ", " + std::to_string(view.processed) + " of " +
              std::to_string(view.total));
  work_.progress(results_->answered() + view.processed);
  if (!is_known_state(view.state) && view.state != told_state_) {
    told_state_ = view.state;
    work_.log(PSW_LOG_WARN, "the job " + id + " is in the state " + view.state +
                                ", which is not known here; it is taken for active");
  }
}

// Only once the job exists: without a token the core knows that a job may never have been made.
void BatchJob::keep_token(const JobView& view) {
  token_.output = view.output_dataset;
  token_.account = options_.account_id;
  // An earlier process may have gone further.
  token_.continuations =
      std::max(token_.continuations, static_cast<std::uint32_t>(jobs_.size()) - 1);
  try {
    work_.checkpoint(write_token(token_));
  } catch (const psw::Error& error) {
    work_.log(PSW_LOG_WARN, error.text + "; the job " + token_.job + " is found again by its name");
  }
}

void BatchJob::leave_unanswered(const std::string& method, const std::string& id,
                                const http::Reply& reply) {
  leave_open(
      work_,
      psw::http::to_error(control_.describe(method, "batchInferenceJobs/" + id), reply).text);
}

}  // namespace fireworks
