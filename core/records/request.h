// SPDX-License-Identifier: Apache-2.0
// One prompt to one model, and what came back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "records/item.h"
#include "records/outcome.h"

namespace promptsweep {

enum class Condition { control, treatment };
std::string_view to_string(Condition condition);
std::optional<Condition> condition_from(std::string_view name);

// What an arm's store knows of a request before it is sent. The text is rendered from the item and
// the arm when the job's request file is written.
struct RequestRow {
  std::string request_id;  // content_id of arm, item key, sample index and content
  std::string custom_id;   // dataset|item|condition|temp|sample|type; never leaves the core
  std::string item_key;
  int sample_index = 0;
  TaskType type = TaskType::closed_book;
  std::uint32_t seed = 0;
  std::string content_sha256;  // of the request line
  std::int64_t position = 0;   // in the arm's item order, from 0; the store numbers them
};

// One attempt's result as the store takes it.
struct ResultRow {
  std::string request_id;
  Outcome outcome = Outcome::missing;
  std::string text;           // the answer; empty for failures
  std::string finish_reason;  // stop, length, content_filter; empty for failures
  std::string error;          // a sentence; empty for answers
  std::string model;          // what the engine said answered
  std::optional<std::int64_t> prompt_tokens;
  std::optional<std::int64_t> prompt_tokens_evaluated;
  std::optional<std::int64_t> completion_tokens;
  std::string remote_id;  // the provider's id of the answer
  std::optional<bool> seed_honoured;
  std::optional<double> latency_ms;  // finished - started, as the backend measured
  std::int64_t finished_unix_us = 0;
  int attempts = 1;          // times it may have been sent within this result
  bool cached = false;       // taken from the response cache, not from the engine
  std::string job_id;        // the core's job that brought it
  std::string timings_json;  // the answer's timings member, or empty
};

}  // namespace promptsweep
