// SPDX-License-Identifier: Apache-2.0
#include "backend/dry_run.h"

#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/env.h"

namespace promptsweep {
namespace {

class DryRunBackend final : public Backend {
 public:
  DryRunBackend() {
    facts_.id = "dry-run";
    facts_.version = "1";
    facts_.concurrent_jobs = true;
    facts_.partial_fetch = true;
    facts_.max_concurrent_jobs = 64;
  }

  const BackendFacts& facts() const override { return facts_; }
  Result<std::string> engine_identity() override { return std::string(dry_run_identity); }

  Status submit(const JobRequest& request) override {
    Result<std::deque<std::string>> ids = read_ids(request);
    if (!ids) return std::move(ids).error();
    const std::lock_guard lock(mutex_);
    if (jobs_.contains(request.job_id)) {
      return Error{Code::state, "job " + request.job_id + " was submitted before"};
    }
    Job& job = jobs_[request.job_id];
    job.waiting = std::move(ids).value();
    job.total = job.waiting.size();
    return ok;
  }

  Result<JobStatus> poll(const std::string& job_id) override {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(job_id);
    if (job == jobs_.end()) return no_job(job_id);
    JobStatus out;
    out.state = job->second.cancelled         ? JobState::cancelled
                : job->second.waiting.empty() ? JobState::succeeded
                                              : JobState::running;
    out.total = job->second.total;
    out.done = job->second.total - job->second.waiting.size();
    out.records_ready = job->second.waiting.size();
    return out;
  }

  Result<FetchResult> fetch(const std::string& job_id, std::uint64_t max_records, std::uint32_t,
                            const ResultSink& sink) override {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(job_id);
    if (job == jobs_.end()) return no_job(job_id);
    std::deque<std::string>& waiting = job->second.waiting;
    FetchResult out;
    while (!job->second.cancelled && !waiting.empty() && out.delivered < max_records) {
      if (Status taken = sink(answer(waiting.front(), job_id)); !taken)
        return std::move(taken).error();
      waiting.pop_front();
      ++out.delivered;
    }
    out.more = !job->second.cancelled && !waiting.empty();
    return out;
  }

  Status cancel(const std::string& job_id) override {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(job_id);
    if (job == jobs_.end()) return no_job(job_id);
    job->second.cancelled = !job->second.waiting.empty();
    return ok;
  }

  Status close(const std::string& job_id) override {
    const std::lock_guard lock(mutex_);
    return jobs_.erase(job_id) > 0 ? Status(ok) : no_job(job_id);
  }

 private:
  struct Job {
    std::deque<std::string> waiting;
    std::size_t total = 0;
    bool cancelled = false;
  };

  static Error no_job(const std::string& job_id) {
    return {Code::not_found, "the dry run has no job " + job_id};
  }

  static ResultRow answer(const std::string& request_id, const std::string& job_id) {
    ResultRow row;
    row.request_id = request_id;
    row.outcome = Outcome::ok;
    row.text = "[dry run] " + request_id;
    row.finish_reason = "stop";
    row.model = facts_model;
    row.finished_unix_us = unix_us_now();
    row.job_id = job_id;
    return row;
  }

  static Result<std::deque<std::string>> read_ids(const JobRequest& request) {
    std::ifstream in(request.requests_path);
    if (!in) return Error{Code::io, "cannot read " + request.requests_path.string()};
    std::deque<std::string> ids;
    for (std::string line; std::getline(in, line);) {
      const nlohmann::json document = nlohmann::json::parse(line, nullptr, false);
      const auto id = document.is_object() ? document.find("request_id") : document.end();
      if (id == document.end() || !id->is_string()) {
        return Error{Code::data, request.requests_path.string() + ": a line is no request"};
      }
      ids.push_back(id->get<std::string>());
    }
    if (ids.size() != request.request_count) {
      return Error{Code::data, request.requests_path.string() + ": " + std::to_string(ids.size()) +
                                   " requests, " + std::to_string(request.request_count) +
                                   " announced"};
    }
    return ids;
  }

  static constexpr const char* facts_model = "dry-run";
  BackendFacts facts_;
  std::mutex mutex_;
  std::map<std::string, Job> jobs_;
};

}  // namespace

std::unique_ptr<Backend> make_dry_run_backend() { return std::make_unique<DryRunBackend>(); }

}  // namespace promptsweep
