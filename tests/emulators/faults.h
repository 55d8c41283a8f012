// SPDX-License-Identifier: Apache-2.0
// Faults on demand: which there are (fault_table.cc), and the script that says when they strike.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "answers.h"

namespace promptsweep::emulator {

enum class Act {
  service,       // the service knows what to do
  status,        // an error of status `argument`, in the service's own form
  error_in_200,  // the same with status 200
  html,          // the same as an HTML page
  html_reply,    // served, then an HTML page instead of the reply
  limit,         // 429; `text` is the Retry-After header
  reset_before,
  lost_reply,  // served, then a reset instead of the reply
  reset_within,
  cut,
  end_early,  // a stream or body that ends early and in good order
  malformed,  // the length is right, the JSON is broken
  empty,      // status 200, no body
  late,
  drip,
  split,
  refuse,   // the port is closed for a while
  death,    // from now on every connection is reset
  garbled,  // the answer in the reply is odd: spoil() of chat.h
};

struct FaultKind {
  const char* name;
  const char* services;    // o: ollama, f: fireworks, a: openai
  const char* mode;        // of fireworks: batch, realtime, any; the others have realtime only
  const char* kind;        // transient, permanent, cosmetic
  const char* applies_to;  // route; "any": every route but those of the emulator itself
  Act act;
  int argument;
  const char* text;
  const char* why;
};

// Permanent faults strike every time, unless the script says when.
const std::vector<FaultKind>& all_faults();
std::string faults_json(const std::string& service);

// A fault that strikes now.
struct Strike {
  const FaultKind* kind = nullptr;
  int ms = 0;       // of late, drip and refuse
  double part = 0;  // of the rows, for faults of results
  explicit operator bool() const { return kind != nullptr; }
  // By name; a fault of rows ("row_NAME") and a lasting one ("NAME_always") is NAME too.
  bool is(std::string_view name) const;
};

class Faults {
 public:
  explicit Faults(std::uint64_t seed) : state_(mixed(seed)) {}
  // Replaces the script. Returns an error sentence, or "".
  std::string load(const std::string& text, const std::string& service);
  // The first entry of the script that strikes the index-th request of the route; `all_index` is
  // the index among all requests.
  Strike strike(const std::string& route, std::uint64_t index, std::uint64_t all_index);
  // All that strike; for jobs and their results.
  std::vector<Strike> strikes(const std::string& route, std::uint64_t index);

 private:
  struct Entry {
    const FaultKind* kind;
    std::string route;
    std::vector<std::uint64_t> requests;
    std::int64_t from = -1;
    double probability = -1;
    std::int64_t times_left = 0;
    int ms = 0;
    double part = 0;
  };
  bool fits(Entry& entry, const std::string& route, std::uint64_t index, std::uint64_t all_index);

  std::uint64_t state_;
  std::vector<Entry> entries_;
};

}  // namespace promptsweep::emulator
