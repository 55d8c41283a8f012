// SPDX-License-Identifier: Apache-2.0
#include "store/request_index.h"

#include <algorithm>

#include "base/digest.h"

namespace promptsweep {

void RequestIndex::add(std::string_view request_id, bool accepted) {
  added_.push_back({content_key(request_id), accepted});
}

void RequestIndex::sort() {
  if (added_.empty()) return;
  for (std::size_t i = 0; i < keys_.size(); ++i) added_.push_back({keys_[i], accepted_[i]});
  std::sort(added_.begin(), added_.end(),
            [](const Entry& a, const Entry& b) { return a.key < b.key; });
  keys_.clear();
  accepted_.clear();
  keys_.reserve(added_.size());
  accepted_.reserve(added_.size());
  for (const Entry& entry : added_) {
    keys_.push_back(entry.key);
    accepted_.push_back(entry.accepted);
  }
  added_.clear();
  added_.shrink_to_fit();
}

std::optional<std::size_t> RequestIndex::find(std::string_view request_id) {
  sort();
  const Key key = content_key(request_id);
  const auto found = std::lower_bound(keys_.begin(), keys_.end(), key);
  if (found == keys_.end() || *found != key) return std::nullopt;
  return static_cast<std::size_t>(found - keys_.begin());
}

bool RequestIndex::contains(std::string_view request_id) { return find(request_id).has_value(); }

std::optional<bool> RequestIndex::exchange_accepted(std::string_view request_id, bool accepted) {
  const std::optional<std::size_t> index = find(request_id);
  if (!index) return std::nullopt;
  const bool before = accepted_[*index];
  accepted_[*index] = accepted;
  return before;
}

}  // namespace promptsweep
