// SPDX-License-Identifier: Apache-2.0
// One arm while its engine runs: its store and its lease (held only while needed), what is pending,
// and how often each request was offered in this invocation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "records/plan.h"
#include "records/request.h"
#include "store/arm_store.h"
#include "store/run_store.h"

namespace promptsweep {

class ArmRun {
 public:
  // Counts what is done; a count is all that an arm with nothing left costs.
  static Result<std::unique_ptr<ArmRun>> load(RunStore& run, const ArmSpec& spec);

  const ArmSpec& spec() const { return spec_; }
  std::int64_t expected() const { return expected_; }
  std::int64_t accepted() const { return accepted_; }
  bool complete() const { return accepted_ == expected_; }
  // An earlier process left jobs that nobody has settled yet.
  bool has_left_jobs() const { return has_left_jobs_; }
  bool is_open() const { return store_ != nullptr; }

  // The store, opened for writing on first use. The arm is leased to this process until close();
  // Code::state names who else has it.
  Result<ArmStore*> store();
  // Closes the store, everything in it durable, and ends the lease.
  Status close();
  // Puts the store aside under a name that is not in use, answers and all; the arm has none then
  // until it is built again. Returns where it lies.
  Result<std::filesystem::path> set_aside();

  // What each request is waiting for; read again by refresh().
  const std::vector<ArmStore::RequestState>& states() const { return states_; }
  Status refresh();

  void count_accepted() { ++accepted_; }
  // One more offer of this request came to nothing. Returns how many have in this invocation.
  int count_failed_offer(std::int64_t position) { return ++failed_offers_[position]; }
  std::filesystem::path folder() const;  // where the store and its jobs/ lie

 private:
  ArmRun(RunStore& run, const ArmSpec& spec) : run_(run), spec_(spec) {}

  RunStore& run_;
  const ArmSpec& spec_;
  std::int64_t expected_ = 0, accepted_ = 0;
  bool has_left_jobs_ = false;
  std::vector<ArmStore::RequestState> states_;
  std::unordered_map<std::int64_t, int> failed_offers_;  // by position
  std::optional<FileLock> lease_;
  std::unique_ptr<ArmStore> store_;
};

}  // namespace promptsweep
