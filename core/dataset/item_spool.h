// SPDX-License-Identifier: Apache-2.0
// The items of one data file in file order. Their texts wait in a temporary file (in memory while
// they are few); an index of 32 bytes an item stays in memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/flat_index.h"
#include "base/result.h"
#include "records/item_source.h"

namespace promptsweep {

class ItemSpool final : public ItemSource {
 public:
  struct Entry {
    std::uint64_t offset = 0;
    std::uint64_t key_hash = 0;    // FlatIndex::hash_of the item's key
    std::uint32_t bytes = 0;       // of its JSON
    std::uint32_t characters = 0;  // of question and passage
    std::uint32_t dataset = 0;     // into datasets()
    TaskType type = TaskType::closed_book;
  };

  Status append(const Item& item);

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<std::string>& datasets() const { return datasets_; }
  Result<std::string> document(std::size_t index) const;  // to_json of the item
  Result<Item> item(std::size_t index) const;
  Result<std::string> key(std::size_t index) const;

  // The first two items that have one key, by the place of the second.
  struct Repeated {
    std::size_t first = 0, second = 0;
  };
  Result<std::optional<Repeated>> repeated_key() const;

  std::int64_t size() const override { return static_cast<std::int64_t>(entries_.size()); }
  Status for_each(const Visit& visit) const override;
  Result<std::optional<Item>> find(const std::string& item_key) const override;  // a walk

 private:
  Result<std::string> read(std::uint64_t offset, std::size_t bytes) const;

  std::vector<Entry> entries_;
  std::vector<std::string> datasets_;
  std::map<std::string, std::uint32_t> dataset_numbers_;
  std::optional<TemporaryFile> file_;
  std::string tail_;  // what is not in the file yet
};

}  // namespace promptsweep
