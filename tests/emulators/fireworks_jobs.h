// SPDX-License-Identifier: Apache-2.0
// Fireworks' batch jobs: checked, run through their states, answered into an output dataset.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "chat.h"
#include "fireworks_datasets.h"
#include "service.h"

namespace promptsweep::emulator {

struct BatchRow {
  std::string custom_id;
  ChatRequest request;
  bool done = false;  // answered, so that a job that goes on from here leaves it out
};

// Parameters of a job that hold for rows without their own.
struct JobParameters {
  std::optional<std::int64_t> max_tokens;
  std::optional<double> temperature;
};

// The rows of a JSONL file; or the problem that makes the whole job fail.
std::string read_rows(const std::string& file_name, const std::string& bytes,
                      const std::string& model, const JobParameters& parameters,
                      std::vector<BatchRow>& rows);

struct Job {
  std::string account, id, model, input_id, output_id, continued_from, display_name, create_time;
  std::string problem;  // why it fails
  std::vector<BatchRow> rows;
  std::vector<std::string> states;  // without prefix, to the last
  std::size_t at = 0;
  std::chrono::steady_clock::time_point created;
  std::vector<Strike> strikes, result_strikes;
  bool finished = false, deleting = false;
  std::size_t answered = 0, failed = 0;
  std::int64_t input_tokens = 0, output_tokens = 0;

  std::string name() const { return "accounts/" + account + "/batchInferenceJobs/" + id; }
  bool struck(std::string_view fault) const;
};

// Answers the rows that the job's faults let through, into files of `output` (BIJOutputSet*.jsonl
// and error-data).
void write_results(World world, Job& job, Dataset& output);

class Jobs {
 public:
  Jobs(World world, Datasets& datasets) : world_(world), datasets_(datasets) {}
  // Routes job_*; `id` is the path's, "" for the collection.
  Reply handle(const std::string& route, const Request& request, const std::string& account,
               const std::string& id, const Strike& strike);

 private:
  Reply create(const Request& request, const std::string& account, const Strike& strike);
  std::string fill(Job& job, const nlohmann::json& body);
  void plan_states(Job& job);
  void advance(Job& job);
  void finish(Job& job);
  Reply remove(Job& job);
  nlohmann::json json(const Job& job, const Strike& strike) const;
  Job* find(const std::string& account, const std::string& id);
  bool knows(const std::string& model) const;
  std::size_t active() const;

  World world_;
  Datasets& datasets_;
  std::map<std::string, Job> jobs_;  // by name()
  std::uint64_t created_ = 0;
};

}  // namespace promptsweep::emulator
