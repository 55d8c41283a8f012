// SPDX-License-Identifier: Apache-2.0
// Collects results and commits them in groups from a thread of its own, so that one wait for the
// disk serves many results and no backend thread waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "records/request.h"

namespace promptsweep {

enum class Disposition { accepted, transient, duplicate };

struct BufferedResult {
  ResultRow row;
  Disposition disposition = Disposition::transient;
};

// Thread-safe. A commit that fails keeps its rows: they are offered again by flush() and, every
// second, by the thread; until one succeeds put() refuses with the error.
class GroupCommit {
 public:
  // Makes the rows durable in their order, all or none. Called by one thread at a time.
  using Commit = std::function<Status(const std::vector<BufferedResult>&)>;

  explicit GroupCommit(Commit commit) : commit_(std::move(commit)) {}
  ~GroupCommit();  // stops the thread; rows not yet committed are lost: flush() first
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Waits only while the buffer is full.
  Status put(BufferedResult result);
  // Everything put before is durable when this returns ok.
  Status flush();

 private:
  void run();

  const Commit commit_;
  std::mutex commit_mutex_;  // held over a commit; taken before mutex_
  std::mutex mutex_;         // guards all below
  std::condition_variable arrived_, drained_;
  std::vector<BufferedResult> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::chrono::steady_clock::time_point oldest_;  // when the first of waiting_ arrived
  std::optional<Error> failure_;                  // of the latest commit
  bool stop_ = false;
  std::thread thread_;  // started by the first put
};

}  // namespace promptsweep
