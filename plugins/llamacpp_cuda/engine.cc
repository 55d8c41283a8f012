// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <algorithm>

#include "stop_strings.h"

namespace llamacpp {
namespace {

using psw::lines::Answer;
using psw::lines::answer_body;
using psw::lines::Finish;

double ms_between(std::chrono::steady_clock::time_point from,
                  std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// Greedy at temperature 0; else top_k, top_p, temperature, then a seeded draw. What the request
// does not name is not applied.
llama_sampler* make_sampler(const Query& query) {
  llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
  if (query.temperature <= 0) {
    llama_sampler_chain_add(chain, llama_sampler_init_greedy());
    return chain;
  }
  if (query.top_k && *query.top_k > 0)
    llama_sampler_chain_add(chain, llama_sampler_init_top_k(*query.top_k));
  if (query.top_p && *query.top_p < 1) {
    llama_sampler_chain_add(chain, llama_sampler_init_top_p(static_cast<float>(*query.top_p), 1));
  }
  llama_sampler_chain_add(chain, llama_sampler_init_temp(static_cast<float>(query.temperature)));
  llama_sampler_chain_add(chain, llama_sampler_init_dist(query.seed.value_or(0)));
  return chain;
}

// Threads wait for each other in every layer, so a small model is slower on many: one thread for
// each 10 million parameters, up to the machine's processors.
std::int32_t default_threads(const llama_model* model) {
  const std::uint64_t worth = llama_model_n_params(model) / 10'000'000;
  const std::uint64_t processors = std::max(1u, std::thread::hardware_concurrency());
  return static_cast<std::int32_t>(std::clamp<std::uint64_t>(worth, 1, processors));
}

void add_to(llama_batch& batch, llama_token token, llama_pos position, llama_seq_id sequence,
            bool logits) {
  const std::int32_t i = batch.n_tokens++;
  batch.token[i] = token;
  batch.pos[i] = position;
  batch.n_seq_id[i] = 1;
  batch.seq_id[i][0] = sequence;
  batch.logits[i] = logits ? 1 : 0;
}

}  // namespace

Engine::Engine(const psw::Host& host, const Options& options, const Model& model)
    : options_(options), model_(model) {
  const std::uint32_t sequences = options.sequences();
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.share() * sequences;
  params.n_seq_max = sequences;
  params.n_batch = options.n_batch;
  params.n_ubatch = std::min(options.n_batch, 512u);
  const std::int32_t threads = options.threads > 0 ? options.threads : default_threads(model.get());
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.flash_attn_type =
      options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.kv_unified = false;
  params.no_perf = true;
  params.abort_callback = [](void* quit) { return static_cast<std::atomic<bool>*>(quit)->load(); };
  params.abort_callback_data = &quit_;
  context_.reset(llama_init_from_model(model.get(), params));
  if (!context_) {
    psw::Error error(PSW_E_RESOURCE, "llama.cpp cannot make a context of " +
                                         std::to_string(options.n_ctx) +
                                         " tokens; lower n_ctx or n_parallel, or free memory");
    error.scope = PSW_SCOPE_INSTANCE;
    throw error;
  }
  // The context may be rounded up; what the configuration grants is what counts.
  share_ = std::min(llama_n_ctx_seq(context_.get()), options.share());
  batch_ = llama_batch_init(static_cast<std::int32_t>(options.n_batch), 0, 1);
  for (std::uint32_t i = sequences; i > 0; --i)
    free_ids_.push_back(static_cast<llama_seq_id>(i - 1));
  const std::int32_t trained = llama_model_n_ctx_train(model.get());
  if (trained > 0 && share_ > static_cast<std::uint32_t>(trained)) {
    host.log(PSW_LOG_WARN, model.name() + " was trained on " + std::to_string(trained) +
                               " tokens of context and is given " + std::to_string(share_) +
                               " a sequence: long prompts may be answered badly");
  }
  if (device_name() == "CPU") host.log(PSW_LOG_INFO, "llama.cpp: no GPU here, running on the CPU");
  thread_ = std::thread([this] { loop(); });
}

Engine::~Engine() {
  {
    // Under the lock, so that the loop cannot check for it and then sleep through the signal.
    std::lock_guard<std::mutex> lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  thread_.join();
  llama_batch_free(batch_);
}

void Engine::enqueue(const psw::Job& job, psw::Request request) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back({job, std::move(request), Clock::now()});
  }
  changed_.notify_one();
}

void Engine::forget(psw_job job) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(waiting_, [job](const Waiting& one) { return one.job.id() == job; });
}

void Engine::loop() {
  while (!quit_) {
    if (running_.empty()) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return quit_ || !waiting_.empty(); });
    }
    if (quit_) return;
    try {
      drop_stopped();
      admit();
      if (running_.empty()) continue;
      fill_batch();
      step();
    } catch (const std::exception& error) {
      fail_all(std::string("the engine failed: ") + error.what());
    }
  }
}

void Engine::admit() {
  while (!free_ids_.empty()) {
    std::optional<Waiting> next;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (next->job.stopping()) continue;
    if (begin(*next, free_ids_.back())) free_ids_.pop_back();
  }
}

// False: the request has its record already.
bool Engine::begin(Waiting waiting, llama_seq_id id) {
  auto sequence = std::make_unique<Sequence>(std::move(waiting));
  const psw::Job& job = sequence->from.job;
  const psw::Request& request = sequence->from.request;
  try {
    sequence->query = parse_query(request.line);
    sequence->prompt = model_.prompt_tokens(sequence->query);
    const std::uint64_t needed =
        sequence->prompt.size() + static_cast<std::uint64_t>(sequence->query.max_tokens);
    if (needed > share_) {
      job.fail(
          request, PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE,
          psw::error_body("the prompt's " + std::to_string(sequence->prompt.size()) +
                          " tokens and max_tokens " + std::to_string(sequence->query.max_tokens) +
                          " exceed the " + std::to_string(share_) +
                          " tokens of a sequence (n_ctx / n_parallel)"));
      return false;
    }
    sequence->id = id;
    sequence->sampler.reset(make_sampler(sequence->query));
    sequence->started = Clock::now();
    job.begin(request);
    running_.push_back(std::move(sequence));
    return true;
  } catch (const psw::Error& error) {
    job.fail(request, error);
  } catch (const std::exception& error) {
    job.fail(request, psw::Error(PSW_E_INTERNAL, error.what()));
  }
  return false;
}

void Engine::drop_stopped() {
  for (std::size_t i = running_.size(); i > 0; --i) {
    if (running_[i - 1]->from.job.stopping()) release(i - 1);
  }
}

// Sequences that answer come first, one token each; the rest of the batch goes to prompts.
void Engine::fill_batch() {
  batch_.n_tokens = 0;
  const auto room = static_cast<std::int32_t>(options_.n_batch);
  for (auto& sequence : running_) {
    sequence->row = -1;
    if (!sequence->next || batch_.n_tokens >= room) continue;
    const auto position =
        static_cast<llama_pos>(sequence->prompt.size() + sequence->completion_tokens - 1);
    sequence->row = batch_.n_tokens;
    add_to(batch_, *sequence->next, position, sequence->id, true);
  }
  for (auto& sequence : running_) {
    while (sequence->evaluated < sequence->prompt.size() && batch_.n_tokens < room) {
      const bool last = sequence->evaluated + 1 == sequence->prompt.size();
      if (last) sequence->row = batch_.n_tokens;
      add_to(batch_, sequence->prompt[sequence->evaluated],
             static_cast<llama_pos>(sequence->evaluated), sequence->id, last);
      ++sequence->evaluated;
    }
  }
}

void Engine::step() {
  const std::int32_t status = llama_decode(context_.get(), batch_);
  if (status != 0) {
    if (!quit_) fail_all("llama.cpp cannot decode (code " + std::to_string(status) + ")");
    return;
  }
  for (std::size_t i = running_.size(); i > 0; --i) {
    if (running_[i - 1]->row >= 0 && !take_token(*running_[i - 1])) release(i - 1);
  }
}

bool Engine::take_token(Sequence& sequence) {
  const llama_token token =
      llama_sampler_sample(sequence.sampler.get(), context_.get(), sequence.row);
  if (!sequence.next) sequence.first_token = Clock::now();
  if (llama_vocab_is_eog(model_.vocab(), token)) {
    finish(sequence, false);
    return false;
  }
  const std::size_t known = sequence.text.size();
  sequence.text += model_.piece(token);
  ++sequence.completion_tokens;
  if (const auto stop = find_stop(sequence.text, known, sequence.query.stop)) {
    sequence.text.resize(*stop);
    finish(sequence, false);
    return false;
  }
  if (sequence.completion_tokens >= static_cast<std::uint64_t>(sequence.query.max_tokens)) {
    finish(sequence, true);
    return false;
  }
  sequence.next = token;
  return true;
}

void Engine::finish(Sequence& sequence, bool reached_limit) {
  const Clock::time_point now = Clock::now();
  const psw::Usage usage{sequence.prompt.size(), sequence.completion_tokens};
  Answer answer;
  answer.text = std::move(sequence.text);
  answer.finish = reached_limit ? Finish::length : Finish::stop;
  answer.model = model_.name();
  answer.prompt_tokens = answer.prompt_tokens_evaluated = sequence.prompt.size();
  answer.completion_tokens = sequence.completion_tokens;
  if (sequence.query.seed_to_send()) answer.seed_honoured = true;
  answer.queue_ms = ms_between(sequence.from.since, sequence.started);
  answer.prefill_ms = ms_between(sequence.started, sequence.first_token);
  answer.decode_ms = ms_between(sequence.first_token, now);
  answer.total_ms = ms_between(sequence.started, now);
  sequence.from.job.deliver(sequence.from.request, answer_body(answer),
                            reached_limit ? PSW_OUTCOME_TRUNCATED : PSW_OUTCOME_OK, usage);
}

void Engine::fail_all(const std::string& sentence) {
  while (!running_.empty()) {
    Sequence& sequence = *running_.back();
    sequence.from.job.fail(sequence.from.request, PSW_OUTCOME_ERROR_BACKEND, PSW_E_INTERNAL,
                           psw::error_body(sentence));
    release(running_.size() - 1);
  }
}

void Engine::release(std::size_t index) {
  const llama_seq_id id = running_[index]->id;
  llama_memory_seq_rm(llama_get_memory(context_.get()), id, -1, -1);
  // Deterministic: nothing of an earlier request may decide where in memory the next one lies.
  if (options_.deterministic) llama_memory_clear(llama_get_memory(context_.get()), true);
  free_ids_.push_back(id);
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace llamacpp
