// SPDX-License-Identifier: Apache-2.0
// Items in run order, read when they are needed: nobody holds the texts of a whole data set.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "records/item.h"

namespace promptsweep {

// Thread safety: const calls may come from several threads at once.
class ItemSource {
 public:
  using Visit = std::function<Status(std::int64_t position, const Item& item)>;

  virtual ~ItemSource() = default;
  virtual std::int64_t size() const = 0;
  // In run order, position from 0. Ends at the first error of `visit` and returns it.
  virtual Status for_each(const Visit& visit) const = 0;
  // nullopt: no item of that key.
  virtual Result<std::optional<Item>> find(const std::string& item_key) const = 0;
  // The items of these keys, in their order; Code::data where one is missing. For as many as may
  // be held in memory.
  virtual Result<std::vector<Item>> find_all(const std::vector<std::string>& item_keys) const;
};

// Few items, in memory.
class ItemList final : public ItemSource {
 public:
  explicit ItemList(std::vector<Item> items);
  std::int64_t size() const override { return static_cast<std::int64_t>(items_.size()); }
  Status for_each(const Visit& visit) const override;
  Result<std::optional<Item>> find(const std::string& item_key) const override;

 private:
  std::vector<Item> items_;
  std::unordered_map<std::string, std::size_t> position_of_key_;
};

// All of them in memory: for few items only.
Result<std::vector<Item>> all_items(const ItemSource& source);

}  // namespace promptsweep
