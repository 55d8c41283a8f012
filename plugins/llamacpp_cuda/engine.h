// SPDX-License-Identifier: Apache-2.0
// One loop that decodes several sequences at once. Jobs are queues into it; a request never sees
// another one (each sequence has its own memory, cleared when it ends).
#pragma once

#include <llama.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>
#include <thread>
#include <vector>

#include "model.h"
#include "options.h"

namespace llamacpp {

class Engine {
 public:
  // Throws psw::Error (PSW_E_RESOURCE when the context does not fit into memory).
  Engine(const psw::Host& host, const Options& options, const Model& model);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Answers through `job` from the engine's thread.
  void enqueue(const psw::Job& job, psw::Request request);
  // Forgets what of `job` has not begun.
  void forget(psw_job job);

 private:
  using Clock = std::chrono::steady_clock;

  struct Waiting {
    psw::Job job;
    psw::Request request;
    Clock::time_point since;
  };
  struct FreeSampler {
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };
  // A request that has a sequence.
  struct Sequence {
    explicit Sequence(Waiting waiting) : from(std::move(waiting)) {}

    Waiting from;
    llama_seq_id id = 0;
    Query query;
    std::vector<llama_token> prompt;
    std::size_t evaluated = 0;        // tokens of the prompt that are in memory
    std::optional<llama_token> next;  // sampled, not evaluated yet
    std::int32_t row = -1;            // of this step's batch whose logits are its own
    std::unique_ptr<llama_sampler, FreeSampler> sampler;
    std::string text;
    std::uint64_t completion_tokens = 0;
    Clock::time_point started, first_token;
  };
  struct FreeContext {
    void operator()(llama_context* context) const { llama_free(context); }
  };

  void loop();
  void admit();
  bool begin(Waiting waiting, llama_seq_id id);
  void drop_stopped();
  void fill_batch();
  void step();
  bool take_token(Sequence& sequence);  // false: the sequence is finished
  void finish(Sequence& sequence, bool reached_limit);
  void fail_all(const std::string& sentence);
  void release(std::size_t index);

  const Options options_;
  const Model& model_;
  std::unique_ptr<llama_context, FreeContext> context_;
  std::uint32_t share_ = 0;  // tokens of context a sequence has

  // The engine's thread alone:
  llama_batch batch_{};
  std::vector<std::unique_ptr<Sequence>> running_;
  std::vector<llama_seq_id> free_ids_;

  std::mutex mutex_;  // guards waiting_
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  std::atomic<bool> quit_{false};
  std::thread thread_;
};

}  // namespace llamacpp
