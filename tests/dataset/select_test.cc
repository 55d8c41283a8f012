// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <set>

#include "dataset/dataset.h"

using namespace promptsweep;

namespace {

DatasetFile file_of(const std::string& name, int count,
                    std::optional<std::int64_t> max_items = {}) {
  DatasetFile file;
  file.source.name = name;
  file.source.path = name;
  file.source.max_items = max_items;
  file.items = std::make_shared<ItemSpool>();
  for (int i = 0; i < count; ++i) {
    Item item;
    item.dataset = name;
    item.id = std::to_string(i);
    item.question = "q";
    BOOST_REQUIRE(file.items->append(item));
  }
  return file;
}

std::set<std::string> keys(const Selection& selection) {
  std::set<std::string> out;
  const std::vector<Item> items = all_items(*selection.items).value();
  for (const Item& item : items) out.insert(item_key(item));
  return out;
}

Selection chosen(const std::vector<DatasetFile>& files, SelectionLimits limits = {}) {
  Result<Selection> selection = select_items(files, limits);
  BOOST_REQUIRE(selection);
  return std::move(selection).value();
}

SelectionLimits limit(std::int64_t n) {
  SelectionLimits limits;
  limits.limit_items = n;
  return limits;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(selection)

BOOST_AUTO_TEST_CASE(without_limits_everything_is_asked_once) {
  const Selection all = chosen({file_of("a", 70), file_of("b", 30)});
  BOOST_TEST(all.items->size() == 100);
  BOOST_TEST(keys(all).size() == 100u);
}

// D23: N items in all, over every data set in proportion, not the first N lines.
BOOST_AUTO_TEST_CASE(limit_items_is_shared_out_in_proportion) {
  const Selection some = chosen({file_of("a", 70), file_of("b", 25), file_of("c", 5)}, limit(20));
  BOOST_TEST(some.items->size() == 20);
  BOOST_TEST(some.facts.counts.at(0).selected == 14);
  BOOST_TEST(some.facts.counts.at(1).selected == 5);
  BOOST_TEST(some.facts.counts.at(2).selected == 1);
  BOOST_TEST(chosen({file_of("a", 7), file_of("b", 3)}, limit(50)).items->size() == 10);
}

BOOST_AUTO_TEST_CASE(shares_add_up_for_every_limit) {
  for (std::int64_t n = 1; n <= 40; ++n) {
    const Selection some = chosen({file_of("a", 17), file_of("b", 11), file_of("c", 12)}, limit(n));
    BOOST_TEST(some.items->size() == n);
  }
}

BOOST_AUTO_TEST_CASE(a_smaller_limit_asks_a_part_of_a_larger_one) {
  // One share of each set grows with the limit, so prefixes of the shuffled sets nest.
  const std::vector<DatasetFile> files{file_of("a", 80), file_of("b", 40)};
  const std::set<std::string> large = keys(chosen(files, limit(60)));
  for (const std::string& key : keys(chosen(files, limit(30)))) BOOST_TEST(large.contains(key));
}

BOOST_AUTO_TEST_CASE(limit_per_data_set_is_the_other_meaning) {
  SelectionLimits limits;
  limits.limit_items_per_dataset = 4;
  const Selection some = chosen({file_of("a", 70), file_of("b", 3)}, limits);
  BOOST_TEST(some.facts.counts.at(0).selected == 4);
  BOOST_TEST(some.facts.counts.at(1).selected == 3);
}

// D20: a cap of 0 is none of it.
BOOST_AUTO_TEST_CASE(a_cap_of_zero_is_none) {
  const Selection some = chosen({file_of("a", 10, 0), file_of("b", 10)});
  BOOST_TEST(some.items->size() == 10);
  SelectionLimits limits;
  limits.max_items_by_dataset["b"] = 0;
  BOOST_TEST(chosen({file_of("a", 10, 2), file_of("b", 10)}, limits).items->size() == 2);
}

BOOST_AUTO_TEST_CASE(one_data_set_never_moves_another) {
  SelectionLimits limits;
  limits.limit_items_per_dataset = 5;
  const std::set<std::string> alone = keys(chosen({file_of("a", 50)}, limits));
  const std::set<std::string> both = keys(chosen({file_of("b", 9), file_of("a", 50)}, limits));
  for (const std::string& key : alone) BOOST_TEST(both.contains(key));
}

BOOST_AUTO_TEST_CASE(the_seed_decides_and_is_part_of_the_hash) {
  SelectionLimits other;
  other.seed = 1;
  const std::vector<DatasetFile> files{file_of("a", 50)};
  BOOST_TEST(chosen(files).facts.items_sha256 == chosen(files).facts.items_sha256);
  BOOST_TEST(chosen(files).facts.items_sha256 != chosen(files, other).facts.items_sha256);
}

BOOST_AUTO_TEST_CASE(a_prefix_is_a_fair_mix) {
  const Selection all = chosen({file_of("a", 75), file_of("b", 25)});
  int b = 0;
  const std::vector<Item> items = all_items(*all.items).value();
  for (std::size_t i = 0; i < 40; ++i) b += items[i].dataset == "b" ? 1 : 0;
  BOOST_TEST(b >= 8);
  BOOST_TEST(b <= 12);
}

BOOST_AUTO_TEST_CASE(the_same_item_in_two_files_is_an_error) {
  const Result<Selection> twice = select_items({file_of("a", 3), file_of("a", 3)}, {});
  BOOST_REQUIRE(!twice);
  BOOST_TEST((twice.error().code == Code::invalid_input));
}

BOOST_AUTO_TEST_SUITE_END()
