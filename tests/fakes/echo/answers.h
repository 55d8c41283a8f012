// SPDX-License-Identifier: Apache-2.0
// What echo answers to a request line: a pure function of the options and the line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "options.h"

namespace echo {

struct Answer {
  bool refused_request = false;  // the line is not a request; `text` says why
  bool truncated = false;        // max_tokens ended it
  std::string text;
  std::string model;
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;  // words
  bool has_seed = false;
};

class Answers {
 public:
  // Reads answers_file. Throws psw::Error.
  explicit Answers(const Options& options);

  Answer answer(const std::string& request_id, std::string_view request_line) const;

 private:
  const Options& options_;
  std::map<std::string, std::string> known_;  // question to right answer
};

// The record's body, one line of response.schema.json. remote_id: empty where there is none.
std::string body_of(const Answer& answer, std::string_view text, std::string_view finish_reason,
                    double queue_ms, double total_ms, const std::string& remote_id);
// {"engine":"echo", ...} for psw.identity/1.
std::string identity_of(const Options& options, const std::string& secret_hash);

// FNV-1a with a final mix, so that near texts give far numbers.
std::uint64_t hash_of(std::string_view text, std::uint64_t salt = 0);
// In [0, 1).
double share_of(std::uint64_t hash);
std::uint64_t count_words(std::string_view text);
// Words of all messages or of the prompt of a request line.
std::uint64_t prompt_words(std::string_view request_line);

}  // namespace echo
