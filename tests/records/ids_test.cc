// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <set>

#include "base/random.h"
#include "records/decoding.h"
#include "records/item.h"

using namespace promptsweep;

namespace {

// Strings over the characters that can confuse an id.
std::string nasty_string(Random& random) {
  static const std::vector<std::string> pieces{"|", "%",  "%7C", "%25", "%257C", "7C", "2", "5",
                                               "a", "\n", "é",   "\"",  "\\",    " ",  ","};
  std::string out;
  for (std::uint64_t left = random.below(8); left > 0; --left) {
    out += pieces[random.below(pieces.size())];
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(d43_an_id_with_bars_splits_exactly) {
  Item item;
  item.dataset = "my|set";
  item.id = "a|b%7Cc";
  BOOST_TEST(item_key(item) == "my%7Cset|a%7Cb%257Cc");
  BOOST_TEST(split_id(item_key(item)) == (std::vector<std::string>{"my|set", "a|b%7Cc"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(splitting_inverts_joining_over_nasty_strings) {
  Random random(43);
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> fields(1 + random.below(5));
    std::string id;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      fields[i] = nasty_string(random);
      id += (i > 0 ? "|" : "") + escape_id_field(fields[i]);
    }
    BOOST_TEST_REQUIRE(split_id(id) == fields, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(different_items_have_different_keys) {
  std::set<std::pair<std::string, std::string>> items;
  std::set<std::string> keys;
  Random random(44);
  for (int round = 0; round < 5000; ++round) {
    Item item;
    item.dataset = nasty_string(random);
    item.id = nasty_string(random);
    items.emplace(item.dataset, item.id);
    keys.insert(item_key(item));
  }
  BOOST_TEST(items.size() > 1000u);
  BOOST_TEST(keys.size() == items.size());
}

BOOST_AUTO_TEST_CASE(plain_ids_stay_as_they_are) {
  BOOST_TEST(escape_id_field("56ddde6b9a695914005b9628") == "56ddde6b9a695914005b9628");
  BOOST_TEST(escape_id_field("") == "");
  BOOST_TEST(split_id("") == std::vector<std::string>{""}, boost::test_tools::per_element());
  BOOST_TEST(split_id("a||b%2") == (std::vector<std::string>{"a", "", "b%2"}),
             boost::test_tools::per_element());
}

// Computed apart from this code: SHA-256 of the length-prefixed fields, first 64 bits, shifted.
BOOST_AUTO_TEST_CASE(seeds_have_stable_values) {
  BOOST_TEST(request_seed(1337, "squad|1", 0, "") == 1896671498u);
  BOOST_TEST(request_seed(1337, "squad|1", 1, "") == 905575640u);
  BOOST_TEST(request_seed(1338, "squad|1", 0, "") == 120861577u);
  BOOST_TEST(request_seed(1337, "squad|2", 0, "") == 1074734909u);
  BOOST_TEST(request_seed(1337, "squad|1", 0, "aa") == 1402883096u);
}

BOOST_AUTO_TEST_CASE(seeds_are_31_bits_and_spread) {
  std::set<std::uint32_t> seeds;
  std::uint32_t all = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::uint32_t seed = request_seed(1337, "nq|" + std::to_string(i), i % 3, "");
    BOOST_TEST_REQUIRE(seed <= 0x7fffffffu);
    seeds.insert(seed);
    all |= seed;
  }
  BOOST_TEST(seeds.size() == 2000u);
  BOOST_TEST(all == 0x7fffffffu);
}

BOOST_AUTO_TEST_CASE(numbers_print_shortest) {
  BOOST_TEST(format_number(0) == "0");
  BOOST_TEST(format_number(0.7) == "0.7");
  BOOST_TEST(format_number(0.25) == "0.25");
  BOOST_TEST(format_number(1) == "1");
  BOOST_TEST(format_number(-2.5) == "-2.5");
  Random random(45);
  for (int i = 0; i < 1000; ++i) {
    const double value = static_cast<double>(random() >> 11) * 0x1p-53;
    BOOST_TEST_REQUIRE(std::stod(format_number(value)) == value);
  }
}

// D12: temperatures that agree in one decimal have names of their own.
BOOST_AUTO_TEST_CASE(d12_close_temperatures_print_differently) {
  BOOST_TEST(format_number(0.2) != format_number(0.25));
  BOOST_TEST(format_number(0.1 + 0.2) != format_number(0.3));
}

BOOST_AUTO_TEST_SUITE_END()
