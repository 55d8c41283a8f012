// SPDX-License-Identifier: Apache-2.0
// The echo plugin's options: README.md says what they mean.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace echo {

enum class Mode { echo, policy };
enum class AnswerFrom { content, request_id };
enum class CreateError { none, resource, auth, abort };
enum class Style { plain, shout, brief };

enum class FailureKind {
  error_backend,
  error_timeout,
  error_request,
  prompt_truncated,
  truncated,
  empty,
  filtered,
  abort,
  kill,
  stall,
  hang,
  lose,      // echo_remote: the provider's results lack the row
  duplicate  // echo_remote: they hold it twice
};
inline constexpr std::initializer_list<const char*> failure_names = {
    "error_backend", "error_timeout", "error_request", "prompt_truncated",
    "truncated",     "empty",         "filtered",      "abort",
    "kill",          "stall",         "hang",          "lose",
    "duplicate"};

struct FailureRule {
  enum class Selector { request_id, contains, index, every, nth };
  FailureKind kind = FailureKind::error_backend;
  Selector selector = Selector::nth;
  std::string text;          // request_id, contains
  std::uint64_t number = 0;  // index, every, nth
  std::uint64_t times = 0;   // 0: always
};

// What befalls a job of the pretend provider.
enum class RemoteFailureKind {
  kill_before_create,
  kill_after_create,
  kill_after_checkpoint,
  kill_before_results,
  create_refused,
  expire,
  cancel,
  fail
};

struct RemoteFailure {
  RemoteFailureKind kind = RemoteFailureKind::expire;
  std::uint64_t times = 0;             // 0: always
  std::uint64_t job = 0;               // only the n-th creation at the provider; 0: any
  std::optional<std::uint64_t> after;  // requests that are answered before; absent: half
};

struct RemoteOptions {
  std::string folder;
  std::uint32_t speed_ms = 0, queue_ms = 0;
  std::uint64_t max_jobs = 0;
  std::vector<RemoteFailure> failures;
};

struct Options {
  Mode mode = Mode::echo;
  AnswerFrom answer_from = AnswerFrom::content;
  Style style = Style::plain;
  double abstain_share = 0.5, guess_abstain_share = 0.05, accuracy = 0.5;
  std::string answers_file, refusal = "I don't know.";
  unsigned n_parallel = 1, max_parallel = 0;
  std::uint32_t delay_ms = 0, jitter_ms = 0, create_delay_ms = 0;
  std::uint64_t jitter_seed = 0, ram_bytes = 0, vram_bytes = 0;
  CreateError create_error = CreateError::none;
  bool use_secret = false;
  std::string state_folder, event_log, label;
  std::vector<FailureRule> failures;
  RemoteOptions remote;  // echo_remote alone has them
};

// Throws psw::Error(PSW_E_CONFIG) whose text begins with a JSON pointer.
Options parse_options(std::string_view json);

}  // namespace echo
