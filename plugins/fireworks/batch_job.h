// SPDX-License-Identifier: Apache-2.0
// The life of one batch job: found or made, watched to its end, its results taken, its unfinished
// rows continued. README.md has the picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control.h"
#include "intake.h"
#include "options.h"
#include "patience.h"
#include "places.h"
#include "protocol.h"
#include "results.h"
#include "token.h"
#include "work.h"

namespace fireworks {

// What a job has left at the provider.
struct Leftovers {
  std::vector<std::string> jobs;  // the job itself is first
  std::vector<std::string> datasets;
  bool all_answered = false;  // every row has a record that stays
};

class BatchJob {
 public:
  BatchJob(Work& work, Wire& wire, const Options& options, Places& places,
           std::filesystem::path scratch_folder);
  ~BatchJob();

  // Until the provider is done with the job, or it shall stop. Throws psw::Error.
  void run();
  Leftovers leftovers() const;

 private:
  class Place;

  void live();
  bool may_exist() const;
  void prepare();
  std::optional<JobView> find_or_make();
  void stop();
  bool take_what_is_there(const std::string& id);

  // Questions. Each asks until there is an answer; jobs that may exist are never given up.
  std::optional<JobView> look_up(const std::string& id);
  JobView make(const std::string& id, const std::string& body);
  std::optional<JobView> made_after_all(const std::string& id);
  JobView checked(const std::string& id, JobView view);
  void wait_for_quota(const http::Reply& reply, std::int64_t since_unix_ms);
  JobView follow(const std::string& id, JobView view);
  JobView overdue(const std::string& id, const JobView& view);
  std::optional<JobView> next_of_chain(const JobView& view);

  // Of a job that has ended: batch_results.cc.
  enum class Taken { all, none_there, stale_url, denied, unclear };
  void take_results(const JobView& view);
  Taken take_files(const std::string& output);
  Taken take_file(const std::string& output, const SignedFile& file);
  void conclude(const JobView& view);

  void tell(const std::string& id, const JobView& view);
  void keep_token(const JobView& view);
  std::int64_t deadline_of(const JobView& view) const;
  [[noreturn]] void leave_unanswered(const std::string& method, const std::string& id,
                                     const http::Reply& reply);

  Work& work_;
  const Options& options_;
  Places& places_;
  Control control_;
  Patience patience_;
  const std::filesystem::path scratch_;

  Intake intake_;
  std::unique_ptr<Results> results_;
  std::unique_ptr<Place> place_;
  Token token_;
  std::vector<std::string> jobs_;     // that exist, or may: a creation was sent
  std::vector<std::string> outputs_;  // datasets of results
  std::set<std::string> taken_files_;
  std::map<std::string, int> cut_files_;  // how often they came cut
  std::string told_state_;
  bool is_absent_ = false;            // by the provider's own word
  std::int64_t stop_by_unix_ms_ = 0;  // while stopping: how long calls may take
};

}  // namespace fireworks
