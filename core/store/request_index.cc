// SPDX-License-Identifier: Apache-2.0
#include "store/request_index.h"

#include <algorithm>
#include <set>

namespace promptsweep {
namespace {

constexpr std::uint64_t accepted_bit = 1;

std::uint64_t hash_of(std::string_view id) {
  return std::uint64_t{std::hash<std::string_view>{}(id)} & ~accepted_bit;
}

bool by_hash(std::uint64_t a, std::uint64_t b) { return (a | accepted_bit) < (b | accepted_bit); }

}  // namespace

Result<RequestIndex> RequestIndex::build(const ForEachId& for_each_id) {
  RequestIndex out;
  Status read = for_each_id([&](std::string_view id, bool accepted) {
    out.ids_.push_back(hash_of(id) | (accepted ? accepted_bit : 0));
  });
  if (!read) return std::move(read).error();
  std::sort(out.ids_.begin(), out.ids_.end(), by_hash);
  std::set<std::uint64_t> shared;
  for (std::size_t i = 1; i < out.ids_.size(); ++i) {
    if (!by_hash(out.ids_[i - 1], out.ids_[i])) shared.insert(out.ids_[i] & ~accepted_bit);
  }
  if (shared.empty()) return out;
  // Which ids these are is not known any more.
  read = for_each_id([&](std::string_view id, bool accepted) {
    if (shared.contains(hash_of(id))) out.clashes_.emplace(id, accepted);
  });
  if (!read) return std::move(read).error();
  std::erase_if(out.ids_, [&](std::uint64_t id) { return shared.contains(id & ~accepted_bit); });
  return out;
}

std::size_t RequestIndex::place_of(std::uint64_t hash) const {
  const auto found = std::lower_bound(ids_.begin(), ids_.end(), hash, by_hash);
  if (found == ids_.end() || by_hash(hash, *found)) return ids_.size();
  return static_cast<std::size_t>(found - ids_.begin());
}

RequestIndex::State RequestIndex::state(std::string_view id) const {
  if (const auto clash = clashes_.find(id); clash != clashes_.end()) {
    return clash->second ? State::accepted : State::open;
  }
  const std::size_t at = place_of(hash_of(id));
  if (at == ids_.size()) return State::unknown;
  return (ids_[at] & accepted_bit) != 0 ? State::accepted : State::open;
}

void RequestIndex::set(std::string_view id, bool accepted) {
  if (const auto clash = clashes_.find(id); clash != clashes_.end()) {
    clash->second = accepted;
    return;
  }
  std::uint64_t& entry = ids_[place_of(hash_of(id))];
  entry = (entry & ~accepted_bit) | (accepted ? accepted_bit : 0);
}

}  // namespace promptsweep
