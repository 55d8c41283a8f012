// SPDX-License-Identifier: Apache-2.0
// Answers of complete arms, by what was asked of which engine: shared by the runs of an experiments
// folder, so that a later run need not ask again. Stored bytes: core/store/FORMAT.md.
//
// Threads: one ResponseCache is used by one thread at a time. Processes: any number at once; each
// call waits for another's write (seconds at most), then fails with Code::state. A cache is never
// needed: whoever gets an error from it goes on without.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "records/request.h"

namespace promptsweep {

inline constexpr char response_cache_name[] = "response_cache.sqlite";

// Everything that can change an answer, and what tells two samples of one request apart.
struct ResponseKeyParts {
  std::string content_sha256;   // of the request line without its id: messages, model, sampling
  std::uint32_t seed = 0;       // of the request
  bool seed_is_sent = false;    // at temperature 0 it is not, and does not enter the key
  int sample_index = 0;         // two samples at temperature 0 are still two requests
  std::string backend;          // the plugin's name
  std::string answer_options;   // canonical JSON of the options marked x-changes-answers
  std::string engine_identity;  // canonical JSON as recorded in the arm's store
};
// SHA-256 over all of them, each length-prefixed; 64 hexadecimal digits.
std::string response_cache_key(const ResponseKeyParts& parts);

// Whether answers of this engine may be kept: it says what it is, and it is no dry run.
bool is_cacheable_identity(std::string_view engine_identity);
// Answers of the model: ok, truncated, empty, filtered. Failures and refusals are never kept.
bool is_cacheable(Outcome outcome);

// Where an arm's answers come from, for `info` and `prune`.
struct CacheArm {
  std::string arm_id;
  std::string run_id;
  std::string model;
  std::string backend;
  std::string engine_identity;
};

struct CacheInfo {
  struct Engine {
    std::string backend, model, engine_identity;
    std::int64_t rows = 0, bytes = 0;
  };
  std::int64_t rows = 0, bytes = 0;  // bytes: texts and a fixed share a row; the file is near it
  std::int64_t arms = 0;             // that entered rows which are still there
  std::vector<Engine> engines;       // by backend, model and identity
  std::optional<std::int64_t> oldest_use_unix_us, newest_use_unix_us;  // absent: no rows
};

// What to remove. Rules add up; without any, nothing is removed.
struct CachePrune {
  std::optional<std::int64_t> used_before_unix_us;  // last used before this time
  std::optional<std::int64_t> max_bytes;            // the longest unused go first
  std::optional<std::string> model;                 // all rows of this model
};
struct CacheRemoval {
  std::int64_t rows = 0, bytes = 0;
};

class ResponseCache {
 public:
  // Opens or creates `path`. Refused and left as they are: a file that is no cache or is damaged
  // (Code::data) and one of a newer format (Code::unsupported).
  static Result<std::unique_ptr<ResponseCache>> open(const std::filesystem::path& path);
  // Code::not_found when there is none. Every write is Code::state.
  static Result<std::unique_ptr<ResponseCache>> open_read_only(const std::filesystem::path& path);
  virtual ~ResponseCache() = default;

  // Takes one row of the arm that is being entered. A row of the cache that came back (row.cached)
  // only counts as used again; one whose outcome is not cacheable is Code::data.
  using Put = std::function<Status(const std::string& key, const ResultRow& row)>;
  // Enters a complete arm: `rows` gives each row to `put`. All of them are there or, when `rows`
  // or anything else fails, none. The first answer under a key stays. Other processes wait only
  // while the collected rows are copied, not while `rows` runs. Returns how many rows are new.
  virtual Result<std::int64_t> enter_arm(const CacheArm& arm,
                                         const std::function<Status(const Put& put)>& rows) = 0;

  // The answer as a row without request id and job, marked cached: no latency, no timings, no
  // attempts of its own, with the time and the provider's id of the original. Code::data when the
  // stored row does not have the digest that it was stored with.
  virtual Result<std::optional<ResultRow>> find(const std::string& key) = 0;

  virtual Result<CacheInfo> info() = 0;
  // What prune would remove now.
  virtual Result<CacheRemoval> would_prune(const CachePrune& rules) = 0;
  // Removes it in one transaction, then gives the space back to the disk.
  virtual Result<CacheRemoval> prune(const CachePrune& rules) = 0;
  // Reads the whole file: SQLite's checks and every row's digest.
  virtual Status verify() = 0;
};

}  // namespace promptsweep
