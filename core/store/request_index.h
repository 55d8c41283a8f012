// SPDX-License-Identifier: Apache-2.0
// Which request ids an arm has and which of them have an accepted result, in 8 bytes an id.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace promptsweep {

class RequestIndex {
 public:
  enum class State { unknown, open, accepted };

  // Calls its argument for every id once; it must give the same ids each time.
  using Take = std::function<void(std::string_view id, bool accepted)>;
  using ForEachId = std::function<Status(const Take&)>;
  static Result<RequestIndex> build(const ForEachId& for_each_id);

  // An id that the arm does not have is unknown, but for one in 2^63 that shares another's hash;
  // the table of results refuses that one.
  State state(std::string_view id) const;
  // REQUIRES: state(id) is not unknown.
  void set(std::string_view id, bool accepted);

 private:
  std::size_t place_of(std::uint64_t hash) const;  // ids_.size(): none

  std::vector<std::uint64_t> ids_;  // 63 bits of the hash and, lowest, whether it is accepted
  std::map<std::string, bool, std::less<>> clashes_;  // ids that share 63 bits with another
};

}  // namespace promptsweep
