// SPDX-License-Identifier: Apache-2.0
// 64-bit hash -> position, in 12 bytes a slot: an index of a million keys in some 25 MB, where a
// map of texts takes ten times that. The caller compares the keys themselves on a hit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace promptsweep {

class FlatIndex {
 public:
  // The same within one process only.
  static std::uint64_t hash_of(std::string_view key) { return std::hash<std::string_view>{}(key); }

  std::optional<std::uint32_t> find(std::uint64_t hash) const {
    if (hashes_.empty()) return std::nullopt;
    const std::size_t slot = slot_of(hash);
    if (positions_[slot] == 0) return std::nullopt;
    return positions_[slot] - 1;
  }

  // The position that the hash had before; nullopt: it is new and has `position` now.
  // REQUIRES: position < 2^32 - 1.
  std::optional<std::uint32_t> insert(std::uint64_t hash, std::uint32_t position) {
    if (4 * (size_ + 1) > 3 * hashes_.size()) grow();
    const std::size_t slot = slot_of(hash);
    if (positions_[slot] != 0) return positions_[slot] - 1;
    hashes_[slot] = hash;
    positions_[slot] = position + 1;
    ++size_;
    return std::nullopt;
  }

 private:
  // Of the hash, or the free one where it would go.
  std::size_t slot_of(std::uint64_t hash) const {
    const std::size_t mask = hashes_.size() - 1;
    std::size_t slot = static_cast<std::size_t>(hash) & mask;
    while (positions_[slot] != 0 && hashes_[slot] != hash) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    FlatIndex larger;
    const std::size_t slots = hashes_.empty() ? 64 : 2 * hashes_.size();
    larger.hashes_.resize(slots);
    larger.positions_.resize(slots);
    for (std::size_t i = 0; i < hashes_.size(); ++i) {
      if (positions_[i] == 0) continue;
      const std::size_t slot = larger.slot_of(hashes_[i]);
      larger.hashes_[slot] = hashes_[i];
      larger.positions_[slot] = positions_[i];
    }
    larger.size_ = size_;
    *this = std::move(larger);
  }

  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint32_t> positions_;  // one more than the position; 0: free
  std::size_t size_ = 0;
};

}  // namespace promptsweep
