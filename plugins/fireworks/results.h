// SPDX-License-Identifier: Apache-2.0
// Result files become records: joined by custom_id, each request once, whatever the files repeat,
// leave out or mix up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rows.h"
#include "work.h"

namespace fireworks {

// Calls `take` for every line that is not blank. CRLF, blank lines and a last line without its end
// are no fault. False: the file cannot be read.
bool for_each_line(const std::filesystem::path& file,
                   const std::function<void(std::string_view line)>& take);
// Whether every line is a whole row: the last one of a file that was cut is not.
bool is_whole(const std::filesystem::path& file);

class Results {
 public:
  // `index_of`: the requests that were sent, by id; must outlive this.
  Results(Work& work, const std::unordered_map<std::string, std::uint64_t>& index_of);

  // Delivers what the file answers. A failure that may pass is held back: a continuation of the job
  // asks it again.
  void take(const std::filesystem::path& file);

  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }  // of these, those that would not pass again
  std::uint64_t remaining() const { return index_of_.size() - answered_; }

  // The end of all jobs: failures that were held back are records now.
  void release_held();
  // A record for everything that is still unanswered.
  void fail_rest(std::int32_t outcome, psw_status code, const std::string& sentence);
  // The provider gave the whole job up and named rows by their id: these are refused.
  void refuse_named(const std::string& sentence);

 private:
  struct Held {
    std::string id;
    RowFailure failure;
    std::string sentence;
  };
  struct Oddities;

  void take_row(const ResultRow& row, Oddities& odd);
  void report(const Oddities& odd, const std::string& file) const;
  bool is_answered(std::uint64_t index) const;
  void fail(const std::string& id, std::uint64_t index, const RowFailure& failure,
            const std::string& sentence);
  void count(std::uint64_t index);

  Work& work_;
  const std::unordered_map<std::string, std::uint64_t>& index_of_;
  std::unordered_set<std::uint64_t> is_done_;
  std::map<std::uint64_t, Held> held_;
  std::uint64_t answered_ = 0, failed_ = 0;
};

}  // namespace fireworks
