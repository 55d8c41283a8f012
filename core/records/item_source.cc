// SPDX-License-Identifier: Apache-2.0
#include "records/item_source.h"

#include <utility>

namespace promptsweep {

Result<std::vector<Item>> ItemSource::find_all(const std::vector<std::string>& item_keys) const {
  std::vector<Item> out;
  out.reserve(item_keys.size());
  for (const std::string& key : item_keys) {
    Result<std::optional<Item>> item = find(key);
    if (!item) return std::move(item).error();
    if (!*item) return Error{Code::data, "no item " + key};
    out.push_back(**std::move(item));
  }
  return out;
}

ItemList::ItemList(std::vector<Item> items) : items_(std::move(items)) {
  for (std::size_t i = 0; i < items_.size(); ++i) position_of_key_.emplace(item_key(items_[i]), i);
}

Status ItemList::for_each(const Visit& visit) const {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (Status visited = visit(static_cast<std::int64_t>(i), items_[i]); !visited) return visited;
  }
  return ok;
}

Result<std::optional<Item>> ItemList::find(const std::string& item_key) const {
  const auto found = position_of_key_.find(item_key);
  if (found == position_of_key_.end()) return std::optional<Item>();
  return std::optional<Item>(items_[found->second]);
}

Result<std::vector<Item>> all_items(const ItemSource& source) {
  std::vector<Item> out;
  Status read = source.for_each([&](std::int64_t, const Item& item) -> Status {
    out.push_back(item);
    return ok;
  });
  if (!read) return std::move(read).error();
  return out;
}

}  // namespace promptsweep
