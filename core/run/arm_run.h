// SPDX-License-Identifier: Apache-2.0
// One arm while its engine runs: its store (open only while needed), what is pending, and how often
// each request was offered in this invocation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/plan.h"
#include "records/request.h"
#include "store/arm_store.h"
#include "store/run_store.h"

namespace promptsweep {

class ArmRun {
 public:
  // Reads what is pending. Jobs that an earlier process left open are reported by left_open().
  static Result<std::unique_ptr<ArmRun>> load(RunStore& run, const ArmSpec& spec);

  const ArmSpec& spec() const { return spec_; }
  const std::vector<RequestRow>& rows() const { return rows_; }
  const std::vector<std::string>& pending() const { return pending_; }
  const std::vector<JobRow>& left_open() const { return left_open_; }
  std::int64_t expected() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t accepted() const { return accepted_; }
  bool complete() const { return accepted_ == expected(); }
  bool is_open() const { return store_ != nullptr; }

  // The store, opened for writing on first use.
  Result<ArmStore*> store();
  // Closes the store; everything in it is durable then.
  Status close();

  void count_accepted(const std::string& request_id);
  // One more offer of this request came to nothing. Returns how many have in this invocation.
  int count_failed_offer(const std::string& request_id) { return ++failed_offers_[request_id]; }
  std::filesystem::path folder() const;  // where the store and its jobs/ lie

 private:
  ArmRun(RunStore& run, const ArmSpec& spec) : run_(run), spec_(spec) {}

  RunStore& run_;
  const ArmSpec& spec_;
  std::vector<RequestRow> rows_;
  std::vector<std::string> pending_;
  std::vector<JobRow> left_open_;
  std::set<std::string> accepted_now_;
  std::int64_t accepted_ = 0;
  std::map<std::string, int> failed_offers_;
  std::unique_ptr<ArmStore> store_;
};

}  // namespace promptsweep
