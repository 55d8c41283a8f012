// SPDX-License-Identifier: Apache-2.0
#include "dataset/item_spool.h"

#include <algorithm>
#include <limits>

namespace promptsweep {
namespace {

constexpr std::size_t tail_limit = 4 << 20;

std::uint32_t characters_of(const std::string& text) {
  return static_cast<std::uint32_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // no continuation byte
  }));
}

}  // namespace

Status ItemSpool::append(const Item& item) {
  const std::string document = to_json(item);
  if (document.size() > std::numeric_limits<std::uint32_t>::max() ||
      entries_.size() >= std::numeric_limits<std::uint32_t>::max() - 1) {
    return Error{Code::invalid_input, "the item " + item_key(item) + " is too much"};
  }
  const auto [dataset, is_new] = dataset_numbers_.emplace(item.dataset, datasets_.size());
  if (is_new) datasets_.push_back(item.dataset);
  Entry entry;
  entry.offset = (file_ ? file_->size() : 0) + tail_.size();
  entry.key_hash = FlatIndex::hash_of(item_key(item));
  entry.bytes = static_cast<std::uint32_t>(document.size());
  entry.characters = characters_of(item.question);
  if (item.type == TaskType::open_book) entry.characters += characters_of(item.context);
  entry.dataset = dataset->second;
  entry.type = item.type;
  entries_.push_back(entry);
  tail_ += document;
  if (tail_.size() < tail_limit) return ok;
  if (!file_) {
    Result<TemporaryFile> file = TemporaryFile::create();
    if (!file) return std::move(file).error();
    file_.emplace(std::move(file).value());
  }
  if (Status written = file_->append(tail_); !written) return written;
  tail_.clear();
  return ok;
}

Result<std::string> ItemSpool::read(std::uint64_t offset, std::size_t bytes) const {
  const std::uint64_t in_file = file_ ? file_->size() : 0;
  if (offset < in_file) return file_->read(offset, bytes);
  return tail_.substr(static_cast<std::size_t>(offset - in_file), bytes);
}

Result<std::string> ItemSpool::document(std::size_t index) const {
  return read(entries_[index].offset, entries_[index].bytes);
}

Result<Item> ItemSpool::item(std::size_t index) const {
  const Result<std::string> text = document(index);
  if (!text) return text.error();
  std::optional<Item> item = item_from_json(*text);
  if (!item) return Error{Code::data, "an item did not come back as it was written"};
  return *std::move(item);
}

Result<std::string> ItemSpool::key(std::size_t index) const {
  const Result<Item> read = item(index);
  if (!read) return read.error();
  return item_key(*read);
}

Result<std::optional<ItemSpool::Repeated>> ItemSpool::repeated_key() const {
  // Equal hashes are rare unless the keys are equal too: only those are read and compared.
  FlatIndex index;
  std::map<std::uint64_t, std::vector<std::size_t>> shared;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto first = index.insert(entries_[i].key_hash, static_cast<std::uint32_t>(i));
    if (!first) continue;
    std::vector<std::size_t>& others =
        shared.try_emplace(entries_[i].key_hash, std::vector<std::size_t>{*first}).first->second;
    const Result<std::string> own = key(i);
    if (!own) return own.error();
    for (const std::size_t other : others) {
      const Result<std::string> earlier = key(other);
      if (!earlier) return earlier.error();
      if (*earlier == *own) return std::optional(Repeated{other, i});
    }
    others.push_back(i);
  }
  return std::optional<Repeated>();
}

Status ItemSpool::for_each(const Visit& visit) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Result<Item> read = item(i);
    if (!read) return read.error();
    if (Status visited = visit(static_cast<std::int64_t>(i), *read); !visited) return visited;
  }
  return ok;
}

Result<std::optional<Item>> ItemSpool::find(const std::string& wanted) const {
  const std::uint64_t hash = FlatIndex::hash_of(wanted);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].key_hash != hash) continue;
    Result<Item> read = item(i);
    if (!read) return std::move(read).error();
    if (item_key(*read) == wanted) return std::optional<Item>(std::move(read).value());
  }
  return std::optional<Item>();
}

}  // namespace promptsweep
