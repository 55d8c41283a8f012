// SPDX-License-Identifier: Apache-2.0
// Which items a run asks. Each data set is shuffled by the seed and its own name, so that adding
// another never changes its order; caps and limits take prefixes of it. (Shares go by largest
// remainder, so a limit one smaller may give a small data set one item more, never other items.)
#include <algorithm>
#include <cmath>
#include <map>

#include "base/digest.h"
#include "base/random.h"
#include "dataset/dataset.h"

namespace promptsweep {
namespace {

struct Group {
  std::string name;
  std::vector<Item> items;
  std::int64_t available = 0;
  std::int64_t capped = 0;
  std::int64_t selected = 0;
};

Random random_for(std::uint64_t seed, std::string_view what) {
  return Random(content_seed(FieldHash().add("items").add(std::to_string(seed)).add(what).bytes()));
}

Result<std::vector<Group>> grouped(const std::vector<DatasetFile>& files,
                                   const SelectionLimits& limits) {
  std::vector<Group> groups;
  std::map<std::string, std::string> origin;  // item key -> file
  for (const DatasetFile& file : files) {
    std::map<std::string, std::size_t> index;  // groups of this file
    for (const Item& item : file.items) {
      const auto [other, is_new] = origin.emplace(item_key(item), file.source.path.string());
      if (!is_new) {
        return Error{Code::invalid_input, "the item " + item_key(item) + " is in " + other->second +
                                              " and in " + file.source.path.string() +
                                              "; give the data sets different names"};
      }
      auto at = index.find(item.dataset);
      if (at == index.end()) {
        at = index.emplace(item.dataset, groups.size()).first;
        groups.push_back({item.dataset, {}, 0, 0, 0});
      }
      groups[at->second].items.push_back(item);
    }
    for (const auto& [name, at] : index) {
      Group& group = groups[at];
      group.available = static_cast<std::int64_t>(group.items.size());
      group.capped = group.available;
      if (file.source.max_items) group.capped = std::min(group.capped, *file.source.max_items);
      const auto cap = limits.max_items_by_dataset.find(name);
      if (cap != limits.max_items_by_dataset.end())
        group.capped = std::min(group.capped, cap->second);
      Random random = random_for(limits.seed, name);
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
std::vector<Item> mixed(std::vector<Group>& groups, std::uint64_t seed) {
  struct Placed {
    double at;
    std::uint64_t tie;
    Item* item;
  };
  std::vector<Placed> placed;
  Random random = random_for(seed, "mix");
  for (Group& group : groups) {
    for (std::int64_t k = 0; k < group.selected; ++k) {
      const double at = (static_cast<double>(k) + 0.5) / static_cast<double>(group.selected);
      placed.push_back({at, random(), &group.items[static_cast<std::size_t>(k)]});
    }
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.at, a.tie) < std::tie(b.at, b.tie);
  });
  std::vector<Item> out;
  out.reserve(placed.size());
  for (const Placed& one : placed) out.push_back(std::move(*one.item));
  return out;
}

}  // namespace

Result<Selection> select_items(const std::vector<DatasetFile>& files,
                               const SelectionLimits& limits) {
  Result<std::vector<Group>> groups = grouped(files, limits);
  if (!groups) return std::move(groups).error();
  for (Group& group : *groups) {
    group.selected = group.capped;
    if (limits.limit_items_per_dataset)
      group.selected = std::min(group.selected, *limits.limit_items_per_dataset);
  }
  if (limits.limit_items) share_out(*groups, *limits.limit_items);
  Selection out;
  for (const Group& group : *groups)
    out.counts.push_back({group.name, group.available, group.capped, group.selected});
  out.items = mixed(*groups, limits.seed);
  FieldHash hash;
  for (const Item& item : out.items) hash.add(to_json(item));
  out.items_sha256 = sha256_hex(hash.bytes());
  return out;
}

}  // namespace promptsweep
