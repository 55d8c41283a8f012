// SPDX-License-Identifier: Apache-2.0
// Which requests of an arm have a final result: what put_result decides by, without a look into the
// database. 17 bytes a request, so that an arm of a million of them is no burden.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace promptsweep {

// Not thread-safe.
class RequestIndex {
 public:
  // Requests may be added until the first find().
  void add(std::string_view request_id, bool accepted);
  bool contains(std::string_view request_id);
  // Sets the mark and returns what it was; nullopt: no such request.
  std::optional<bool> exchange_accepted(std::string_view request_id, bool accepted);

 private:
  // The first 128 bits of the id's SHA-256: two ids that share them do not occur.
  using Key = std::array<std::uint64_t, 2>;
  struct Entry {
    Key key;
    bool accepted;
  };
  std::optional<std::size_t> find(std::string_view request_id);
  void sort();

  std::vector<Key> keys_;
  std::vector<bool> accepted_;  // of keys_[i]
  std::vector<Entry> added_;    // not yet sorted into the above
};

}  // namespace promptsweep
