// SPDX-License-Identifier: Apache-2.0
#include "fireworks_jobs.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

bool is_terminal(const std::string& state) {
  return state == "COMPLETED" || state == "FAILED" || state == "CANCELLED" || state == "EXPIRED";
}

// Returns a problem, or "".
std::string read_parameters(const Json& body, JobParameters& out) {
  const Json p = body.value("inferenceParameters", Json::object());
  if (!p.is_object()) return "inferenceParameters must be an object";
  for (const auto& [key, value] : p.items()) {
    static const char* known[] = {"maxTokens", "temperature", "topP", "topK", "n", "extraBody"};
    if (std::find(std::begin(known), std::end(known), key) == std::end(known)) {
      return "proto: (line 1:2): unknown field \"" + key + "\"";
    }
    if (key == "extraBody" ? !value.is_string() : !value.is_number()) {
      return "proto: (line 1:2): invalid value for field " + key;
    }
  }
  if (p.contains("extraBody") &&
      Json::parse(p["extraBody"].get<std::string>(), nullptr, false).is_discarded()) {
    return "extra_body must be a string of JSON";
  }
  if (p.contains("maxTokens")) out.max_tokens = p["maxTokens"].get<std::int64_t>();
  if (p.contains("temperature")) out.temperature = p["temperature"].get<double>();
  return "";
}

std::string unknown_job_field(const Json& body) {
  static const char* known[] = {"model",        "inputDatasetId",       "outputDatasetId",
                                "precision",    "inferenceParameters",  "displayName",
                                "systemPrompt", "continuedFromJobName", "name"};
  for (const auto& [key, value] : body.items()) {
    if (std::find(std::begin(known), std::end(known), key) == std::end(known)) return key;
  }
  return "";
}

std::uint64_t input_hash(const Job& job) {
  std::uint64_t hash = hash64(job.model, hash64(job.problem));
  // Equal whatever the order of the rows.
  for (const BatchRow& row : job.rows)
    hash += mixed(hash64(row.custom_id, row.request.question.hash()));
  return hash;
}

}  // namespace

bool Job::struck(std::string_view fault) const {
  return std::any_of(strikes.begin(), strikes.end(), [&](const Strike& s) { return s.is(fault); });
}

Job* Jobs::find(const std::string& account, const std::string& id) {
  const auto found = jobs_.find("accounts/" + account + "/batchInferenceJobs/" + id);
  return found == jobs_.end() ? nullptr : &found->second;
}

bool Jobs::knows(const std::string& model) const {
  const auto& models = world_.settings.models;
  return std::any_of(models.begin(), models.end(), [&](const std::string& name) {
    return model == name || model == "accounts/fireworks/models/" + name;
  });
}

std::size_t Jobs::active() const {
  return static_cast<std::size_t>(std::count_if(jobs_.begin(), jobs_.end(), [](const auto& entry) {
    return !is_terminal(entry.second.states[entry.second.at]);
  }));
}

Reply Jobs::handle(const std::string& route, const Request& request, const std::string& account,
                   const std::string& id, const Strike& strike) {
  if (route == "job_create") return create(request, account, strike);
  if (route == "job_list") {
    Json all = Json::array();
    for (auto& [name, job] : jobs_) {
      if (job.account == account) all.push_back(json(job, {}));
    }
    return json_reply(page_of(request, "batchInferenceJobs", all));
  }
  Job* job = find(account, id);
  if (job == nullptr) return grpc_error(404, "resource not found");
  if (route == "job_delete") return remove(*job);
  advance(*job);
  if (job->deleting && job->at >= job->states.size()) {  // gone for good
    jobs_.erase(job->name());
    return grpc_error(404, "resource not found");
  }
  return json_reply(json(*job, strike));
}

Reply Jobs::create(const Request& request, const std::string& account, const Strike& strike) {
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object()) return grpc_error(400, "the body must be a JSON object");
  if (const std::string key = unknown_job_field(body); !key.empty()) {
    return grpc_error(400, "proto: (line 1:2): unknown field \"" + key + "\"");
  }
  Job job;
  job.account = account;
  job.id = request.query_value("batchInferenceJobId");
  if (job.id.empty()) {
    char text[24];
    std::snprintf(text, sizeof text, "emu%09llu", static_cast<unsigned long long>(created_));
    job.id = text;
  }
  if (find(account, job.id)) {
    world_.counts.add("creates_conflicted");
    return grpc_error(409, "batch inference job " + job.id + " already exists");
  }
  const std::size_t quota = static_cast<std::size_t>(world_.settings.max_jobs);
  if ((quota && active() >= quota) || strike.is("quota")) {
    world_.counts.add("quota_refusals");
    const std::string in_use = std::to_string(quota ? quota : std::max<std::size_t>(active(), 1));
    return grpc_error(400, "invalid batch inference job: job-submission-count for account " +
                               account + ", in use: " + in_use + ", quota: " + in_use);
  }
  if (const std::string problem = fill(job, body); !problem.empty()) {
    return grpc_error(problem == "model not found" ? 404 : 400, problem);
  }
  job.create_time = timestamp();
  job.created = std::chrono::steady_clock::now();
  job.strikes = world_.faults.strikes("job", created_);
  job.result_strikes = world_.faults.strikes("results", created_);
  for (const auto* strikes : {&job.strikes, &job.result_strikes}) {
    for (const Strike& s : *strikes) world_.counts.fault(s.kind->name);
  }
  ++created_;
  plan_states(job);
  world_.counts.job_created(job.id, input_hash(job), job.rows.size());
  const Json out = json(job, {});
  jobs_[job.name()] = std::move(job);
  return json_reply(out);
}

// Reads what the job is to do. A bad row is no problem here: it fails the job later.
std::string Jobs::fill(Job& job, const Json& body) {
  job.display_name = body.value("displayName", "");
  job.output_id = last_segment(body.value("outputDatasetId", "bij-" + job.id));
  if (datasets_.find(job.account, job.output_id)) {
    return "invalid batch inference job: output dataset " + job.output_id + " already exists";
  }
  JobParameters parameters;
  if (const std::string problem = read_parameters(body, parameters); !problem.empty())
    return problem;
  if (const std::string from = body.value("continuedFromJobName", ""); !from.empty()) {
    const auto earlier = jobs_.find(from);
    if (earlier == jobs_.end()) return "continued_from_job_name: no such job";
    if (!is_terminal(earlier->second.states[earlier->second.at]))
      return "the earlier job is active";
    job.continued_from = from;
    job.model = earlier->second.model;
    job.input_id = earlier->second.input_id;
    for (const BatchRow& row : earlier->second.rows) {
      if (!row.done) job.rows.push_back(row);
    }
    return "";
  }
  job.model = body.value("model", "");
  if (!knows(job.model)) return "model not found";
  job.input_id = last_segment(body.value("inputDatasetId", ""));
  const Dataset* input = datasets_.find(job.account, job.input_id);
  if (input == nullptr) return "invalid batch inference job: input dataset not found";
  if (!input->ready()) return "invalid batch inference job: input dataset is not ready";
  for (const auto& [name, file] : input->files) {
    job.problem = read_rows(name, *file, job.model, parameters, job.rows);
    if (!job.problem.empty()) break;
  }
  if (job.rows.empty() && job.problem.empty()) job.problem = "Dataset has no rows";
  return "";
}

void Jobs::plan_states(Job& job) {
  std::vector<std::string>& s = job.states;
  s = {"VALIDATING"};
  if (!job.problem.empty()) return s.push_back("FAILED");
  s.push_back("PENDING");
  if (job.struck("pending_forever")) return;
  if (job.struck("unknown_state")) s.push_back("CONTEMPLATING");
  s.insert(s.end(), {"CREATING", "RUNNING"});
  if (job.struck("state_goes_back"))
    s.insert(s.end(), {"RE_QUEUEING", "PENDING", "CREATING", "RUNNING"});
  if (job.struck("paused")) s.insert(s.end(), {"PAUSED", "IDLE", "RUNNING"});
  if (job.struck("job_failed")) {
    job.problem = "internal error while running the job";
    return s.push_back("FAILED");
  }
  if (job.struck("job_cancelled")) return s.insert(s.end(), {"CANCELLING", "CANCELLED"}), void();
  s.push_back("RUNNING");
  if (job.struck("expired_partial") || job.struck("expired_empty") || job.struck("expired"))
    return s.push_back("EXPIRED");
  s.insert(s.end(), {"WRITING_RESULTS", "COMPLETED"});
}

void Jobs::advance(Job& job) {
  if (job.deleting) {
    ++job.at;
    return;
  }
  const std::size_t last = job.states.size() - 1;
  if (world_.settings.job_ms == 0) {
    job.at = std::min(job.at + 1, last);
  } else {
    const auto ran = std::chrono::steady_clock::now() - job.created;
    const double part =
        std::chrono::duration<double, std::milli>(ran).count() / world_.settings.job_ms;
    job.at = std::min(static_cast<std::size_t>(part * static_cast<double>(last)), last);
  }
  if (!job.finished && is_terminal(job.states[job.at])) finish(job);
}

void Jobs::finish(Job& job) {
  job.finished = true;
  const std::string& state = job.states[job.at];
  if (state == "COMPLETED" || state == "EXPIRED") {
    Dataset& output =
        datasets_.make_output(job.account, job.output_id, job.name(), job.rows.size());
    if (const auto earlier = jobs_.find(job.continued_from); earlier != jobs_.end()) {
      const Job& from = earlier->second;
      output.lineage.push_back(from.output_id);
      if (const Dataset* before = datasets_.find(from.account, from.output_id)) {
        output.lineage.insert(output.lineage.end(), before->lineage.begin(), before->lineage.end());
      }
    }
    write_results(world_, job, output);
    if (job.struck("no_output")) {
      output.filled = false;
      output.files.clear();
    }
  }
  // After a fault of the results a client rightly asks for rows again.
  if (state != "COMPLETED" || !job.result_strikes.empty() || job.struck("no_output")) {
    world_.counts.job_over(job.id);
  }
}

Reply Jobs::remove(Job& job) {
  if (!job.deleting) {
    job.deleting = true;
    job.states = {"DELETING", "DELETING_CLEANING_UP"};
    job.at = 0;
    world_.counts.job_over(job.id);
  }
  return json_reply(Json::object());
}

Json Jobs::json(const Job& job, const Strike& strike) const {
  const std::string state = job.states[job.at];
  const std::string prefix = "accounts/" + job.account + "/datasets/";
  Json out = {{"name", job.name()},
              {"displayName", job.display_name},
              {"createTime", job.create_time},
              {"updateTime", timestamp()},
              {"expireTime", timestamp(86400)},
              {"createdBy", "emulator"},
              {"model", job.model},
              {"inputDatasetId", prefix + job.input_id},
              {"outputDatasetId", prefix + job.output_id},
              {"continuedFromJobName", job.continued_from},
              {"state", job.struck("bare_state_names") ? state : "JOB_STATE_" + state},
              {"status", {{"code", "OK"}, {"message", ""}}},
              {"precision", "PRECISION_UNSPECIFIED"},
              {"jobProgress", nullptr}};
  if (state == "FAILED") {
    out["status"] = {{"code", job.states.size() == 2 ? "INVALID_ARGUMENT" : "INTERNAL"},
                     {"message", job.problem}};
  }
  if (state == "RUNNING" || state == "WRITING_RESULTS" || job.finished) {
    const std::size_t total = job.rows.size();
    const std::size_t processed = job.finished ? job.answered + job.failed : total / 2;
    out["jobProgress"] = {{"percent", total ? 100 * processed / total : 100},
                          {"epoch", 0},
                          {"totalInputRequests", total},
                          {"totalProcessedRequests", processed},
                          {"successfullyProcessedRequests", processed - job.failed},
                          {"failedRequests", job.failed},
                          {"outputRows", job.answered},
                          {"inputTokens", job.input_tokens},
                          {"outputTokens", job.output_tokens},
                          {"cachedInputTokenCount", 0}};
    if (strike.is("job_numbers")) {
      for (Json& number : out["jobProgress"]) number = number.dump();
    }
  }
  return out;
}

}  // namespace promptsweep::emulator
