// SPDX-License-Identifier: Apache-2.0
// Which items a run asks. Each data set is shuffled by the seed and its own name, so that adding
// another never changes its order; caps and limits take prefixes of it. (Shares go by largest
// remainder, so a limit one smaller may give a small data set one item more, never other items.)
#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>

#include "base/digest.h"
#include "base/flat_index.h"
#include "base/random.h"
#include "dataset/dataset.h"

namespace promptsweep {
namespace {

// An item by its place in the files.
struct Place {
  std::uint32_t file, index;
};

struct Group {
  std::string name;
  std::vector<Place> items;
  std::int64_t available = 0;
  std::int64_t capped = 0;
  std::int64_t selected = 0;
};

Random random_for(std::uint64_t seed, std::string_view what) {
  return Random(content_seed(FieldHash().add("items").add(std::to_string(seed)).add(what).bytes()));
}

// The first item of the files from `second` on whose key an earlier file has too.
Status check_keys(const std::vector<DatasetFile>& files) {
  if (files.size() < 2) return ok;  // within a file they differ
  FlatIndex index;
  std::vector<Place> places;
  for (std::uint32_t file = 0; file < files.size(); ++file) {
    const auto& entries = files[file].items->entries();
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      places.push_back({file, i});
      const auto known =
          index.insert(entries[i].key_hash, static_cast<std::uint32_t>(places.size() - 1));
      if (!known || places[*known].file == file) continue;
      const Place& other = places[*known];
      const Result<std::string> first = files[other.file].items->key(other.index);
      if (!first) return first.error();
      const Result<std::string> second = files[file].items->key(i);
      if (!second) return second.error();
      if (*first != *second) continue;
      return Error{Code::invalid_input, "the item " + *second + " is in " +
                                            files[other.file].source.path.string() + " and in " +
                                            files[file].source.path.string() +
                                            "; give the data sets different names"};
    }
  }
  return ok;
}

std::vector<Group> grouped(const std::vector<DatasetFile>& files, const SelectionLimits& limits) {
  std::vector<Group> groups;
  for (std::uint32_t number = 0; number < files.size(); ++number) {
    const DatasetFile& file = files[number];
    const std::size_t first = groups.size();
    for (const std::string& name : file.items->datasets()) groups.push_back({name, {}, 0, 0, 0});
    const auto& entries = file.items->entries();
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      groups[first + entries[i].dataset].items.push_back({number, i});
    }
    for (std::size_t at = first; at < groups.size(); ++at) {
      Group& group = groups[at];
      group.available = static_cast<std::int64_t>(group.items.size());
      group.capped = group.available;
      if (file.source.max_items) group.capped = std::min(group.capped, *file.source.max_items);
      const auto cap = limits.max_items_by_dataset.find(group.name);
      if (cap != limits.max_items_by_dataset.end())
        group.capped = std::min(group.capped, cap->second);
      Random random = random_for(limits.seed, group.name);
      shuffle(group.items, random);
    }
  }
  return groups;
}

// Largest remainder: whole shares that add up to `limit`, ties to the earlier data set.
void share_out(std::vector<Group>& groups, std::int64_t limit) {
  std::int64_t total = 0;
  for (const Group& group : groups) total += group.capped;
  limit = std::min(limit, total);
  if (total == 0) return;
  std::vector<std::pair<std::int64_t, std::size_t>> remainders;
  std::int64_t given = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].selected = groups[i].capped * limit / total;
    given += groups[i].selected;
    remainders.emplace_back(-(groups[i].capped * limit % total), i);
  }
  std::sort(remainders.begin(), remainders.end());
  for (std::size_t i = 0; given < limit; ++i, ++given) ++groups[remainders[i].second].selected;
}

// A mix whose prefixes hold each data set in proportion: item k of n stands at (k + 1/2) / n, and a
// seeded tie-break decides among equals.
std::vector<Place> mixed(const std::vector<Group>& groups, std::uint64_t seed) {
  struct Placed {
    double at;
    std::uint64_t tie;
    Place item;
  };
  std::vector<Placed> placed;
  Random random = random_for(seed, "mix");
  for (const Group& group : groups) {
    for (std::int64_t k = 0; k < group.selected; ++k) {
      const double at = (static_cast<double>(k) + 0.5) / static_cast<double>(group.selected);
      placed.push_back({at, random(), group.items[static_cast<std::size_t>(k)]});
    }
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.at, a.tie) < std::tie(b.at, b.tie);
  });
  std::vector<Place> out;
  out.reserve(placed.size());
  for (const Placed& one : placed) out.push_back(one.item);
  return out;
}

// The chosen items in run order, read from the files' spools.
class ChosenItems final : public ItemSource {
 public:
  ChosenItems(std::vector<std::shared_ptr<const ItemSpool>> spools, std::vector<Place> order)
      : spools_(std::move(spools)), order_(std::move(order)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(order_.size()); }

  Status for_each(const Visit& visit) const override {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const Result<Item> item = spools_[order_[i].file]->item(order_[i].index);
      if (!item) return item.error();
      if (Status visited = visit(static_cast<std::int64_t>(i), *item); !visited) return visited;
    }
    return ok;
  }

  Result<std::optional<Item>> find(const std::string& wanted) const override {
    const std::uint64_t hash = FlatIndex::hash_of(wanted);
    for (const Place& place : order_) {
      if (entry(place).key_hash != hash) continue;
      Result<Item> item = spools_[place.file]->item(place.index);
      if (!item) return std::move(item).error();
      if (item_key(*item) == wanted) return std::optional<Item>(std::move(item).value());
    }
    return std::optional<Item>();
  }

  Result<SelectionFacts> facts() const {
    SelectionFacts out;
    Sha256 hash;
    for (const Place& place : order_) {
      const Result<std::string> document = spools_[place.file]->document(place.index);
      if (!document) return document.error();
      hash.update(FieldHash().add(*document).bytes());
      const ItemSpool::Entry& of = entry(place);
      SelectionFacts::OfType& sums =
          of.type == TaskType::closed_book ? out.closed_book : out.open_book;
      ++sums.items;
      for (std::size_t r = 0; r < sums.quarters.size(); ++r) {
        sums.quarters[r] += static_cast<std::int64_t>((of.characters + r) / 4);
      }
    }
    out.items_sha256 = hash.hex();
    return out;
  }

 private:
  const ItemSpool::Entry& entry(const Place& place) const {
    return spools_[place.file]->entries()[place.index];
  }

  const std::vector<std::shared_ptr<const ItemSpool>> spools_;
  const std::vector<Place> order_;
};

}  // namespace

Result<Selection> select_items(const std::vector<DatasetFile>& files,
                               const SelectionLimits& limits) {
  if (Status distinct = check_keys(files); !distinct) return std::move(distinct).error();
  std::vector<SelectionFacts::Count> counts;
  std::vector<Place> order;
  {
    std::vector<Group> groups = grouped(files, limits);
    for (Group& group : groups) {
      group.selected = group.capped;
      if (limits.limit_items_per_dataset)
        group.selected = std::min(group.selected, *limits.limit_items_per_dataset);
    }
    if (limits.limit_items) share_out(groups, *limits.limit_items);
    for (const Group& group : groups)
      counts.push_back({group.name, group.available, group.capped, group.selected});
    order = mixed(groups, limits.seed);
  }
  std::vector<std::shared_ptr<const ItemSpool>> spools;
  for (const DatasetFile& file : files) spools.push_back(file.items);
  auto items = std::make_shared<ChosenItems>(std::move(spools), std::move(order));
  Result<SelectionFacts> facts = items->facts();
  if (!facts) return std::move(facts).error();
  facts->counts = std::move(counts);
  return Selection{std::move(facts).value(), std::move(items)};
}

}  // namespace promptsweep
