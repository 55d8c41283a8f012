// SPDX-License-Identifier: Apache-2.0
#include "store/group_commit.h"

#include <iterator>
#include <utility>

namespace promptsweep {
namespace {

// A result is durable at most 100 ms after it was put: it waits half of that for company, the other
// half is the disk's.
constexpr std::chrono::milliseconds window{50};
constexpr std::chrono::seconds pause_after_failure{1};
// Beyond these the thread commits at once: a flush() then finds little left to write.
constexpr std::size_t group_rows = 512;
constexpr std::size_t group_bytes = std::size_t{4} << 20;
// Beyond these put() waits.
constexpr std::size_t most_rows = 16384;
constexpr std::size_t most_bytes = std::size_t{32} << 20;

std::size_t bytes_of(const ResultRow& row) {
  return sizeof(BufferedResult) + row.text.size() + row.error.size() + row.timings_json.size();
}

}  // namespace

GroupCommit::~GroupCommit() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  arrived_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status GroupCommit::put(BufferedResult result) {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] {
    return failure_ || (waiting_.size() < most_rows && waiting_bytes_ < most_bytes);
  });
  if (failure_) return *failure_;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  const bool first = waiting_.empty();
  if (first) oldest_ = std::chrono::steady_clock::now();
  waiting_bytes_ += bytes_of(result.row);
  waiting_.push_back(std::move(result));
  const bool full = waiting_.size() >= group_rows || waiting_bytes_ >= group_bytes;
  lock.unlock();
  if (first || full) arrived_.notify_one();
  return ok;
}

Status GroupCommit::flush() {
  const std::lock_guard committing(commit_mutex_);
  std::vector<BufferedResult> group;
  {
    const std::lock_guard lock(mutex_);
    group = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
  }
  if (group.empty()) return ok;
  Status done = commit_(group);
  {
    const std::lock_guard lock(mutex_);
    if (done) {
      failure_.reset();
    } else {
      failure_ = done.error();
      group.insert(group.end(), std::make_move_iterator(waiting_.begin()),
                   std::make_move_iterator(waiting_.end()));
      waiting_ = std::move(group);
      waiting_bytes_ = 0;
      for (const BufferedResult& result : waiting_) waiting_bytes_ += bytes_of(result.row);
    }
  }
  drained_.notify_all();
  return done;
}

void GroupCommit::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    arrived_.wait_until(lock, oldest_ + window, [this] {
      return stop_ || waiting_.size() >= group_rows || waiting_bytes_ >= group_bytes;
    });
    if (stop_) return;
    lock.unlock();
    const Status done = flush();
    lock.lock();
    if (!done) arrived_.wait_for(lock, pause_after_failure, [this] { return stop_; });
  }
}

}  // namespace promptsweep
