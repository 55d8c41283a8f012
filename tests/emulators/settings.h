// SPDX-License-Identifier: Apache-2.0
// The command line of the emulator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace promptsweep::emulator {

// From `second` on (counted from the first chat request) at most `requests` are in service at once.
struct CapacityStep {
  double second = 0;
  std::size_t requests = 0;
};

struct Settings {
  std::string service;  // ollama, fireworks, openai
  std::uint16_t port = 0;
  std::string answers, faults;
  bool list_faults = false;
  std::uint64_t seed = 1;
  std::string key;  // empty: any key, or none, is taken
  std::vector<std::string> models;
  int latency_ms = 0;
  std::vector<CapacityStep> capacity;
  // Chat requests in service at once, per model for Ollama; more wait. 0: no bound.
  std::size_t parallel = 0;
  std::int64_t num_ctx = 4096;    // context where the request names none
  std::int64_t context = 131072;  // context the model was trained for
  bool thinking = false;          // the models can think (Ollama)

  std::string version = "0.33.0";  // of Ollama
  int load_ms = 0;                 // a load or reload of an Ollama model
  std::size_t max_queue = 512;     // Ollama: requests that wait for a load

  std::string dialect = "llama";  // openai: llama, vllm, openai
  int loading_ms = 0;             // openai: /health says "loading" for so long

  int job_ms = 0;          // Fireworks: 0: a job takes one step a poll; else it runs so long
  int ready_polls = 2;     // Fireworks: a dataset is READY at this GET
  int url_seconds = 600;   // Fireworks: life of a signed URL
  int max_jobs = 0;        // Fireworks: quota of active jobs, 0: none
  std::size_t shards = 2;  // Fireworks: files of an output dataset
};

// Returns an error sentence, or "" when `settings` holds what the command line says.
std::string read_command_line(int argc, char** argv, Settings& settings);

std::string usage();

}  // namespace promptsweep::emulator
