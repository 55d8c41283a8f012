// SPDX-License-Identifier: Apache-2.0
// An arm's requests with their results by position, read a page at a time: a walk over several arms
// side by side holds one page of each.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "store/arm_store.h"

namespace promptsweep {

class ArmPages {
 public:
  explicit ArmPages(ArmStore& store) : store_(&store) {}

  // nullptr: the arm has no such position. Valid until the next call.
  Result<const ArmStore::StoredRequest*> at(std::int64_t position) {
    if (position < first_ || position >= first_ + static_cast<std::int64_t>(page_.size())) {
      page_.clear();
      first_ = position;
      if (Status read = store_->read_page(position, rows, page_); !read)
        return std::move(read).error();
      if (page_.empty()) return nullptr;
    }
    return &page_[static_cast<std::size_t>(position - first_)];
  }

 private:
  static constexpr std::int64_t rows = 256;

  ArmStore* store_;
  std::int64_t first_ = 0;
  std::vector<ArmStore::StoredRequest> page_;
};

}  // namespace promptsweep
