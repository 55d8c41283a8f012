// SPDX-License-Identifier: Apache-2.0
#include "base/flat_index.h"

#include <boost/test/unit_test.hpp>

#include "base/env.h"
#include "base/random.h"

using namespace promptsweep;

BOOST_AUTO_TEST_SUITE(large_data)

BOOST_AUTO_TEST_CASE(the_first_position_of_a_hash_stays) {
  FlatIndex index;
  BOOST_TEST(!index.find(7).has_value());
  BOOST_TEST(!index.insert(7, 0).has_value());
  BOOST_TEST(index.insert(7, 5).value() == 0u);
  BOOST_TEST(index.find(7).value() == 0u);
  BOOST_TEST(!index.insert(0, 9).has_value());  // no hash stands for "none"
  BOOST_TEST(index.find(0).value() == 9u);
}

BOOST_AUTO_TEST_CASE(every_hash_is_found_after_growing_and_no_other) {
  FlatIndex index;
  Random random(1);
  std::vector<std::uint64_t> hashes;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    // Half of them share their low bits, and so their first slot.
    hashes.push_back(i % 2 == 0 ? random() : random() << 32);
    BOOST_REQUIRE(!index.insert(hashes.back(), i).has_value());
  }
  for (std::uint32_t i = 0; i < hashes.size(); ++i) {
    BOOST_REQUIRE(index.find(hashes[i]) == std::optional<std::uint32_t>(i));
  }
  for (int i = 0; i < 5'000; ++i) BOOST_REQUIRE(!index.find(random()).has_value());
}

BOOST_AUTO_TEST_CASE(a_temporary_file_gives_back_its_bytes_and_has_no_name) {
  Result<TemporaryFile> file = TemporaryFile::create();
  BOOST_REQUIRE(file);
  BOOST_REQUIRE(file->append("hello "));
  BOOST_REQUIRE(file->append(std::string("wor\0ld", 6)));
  BOOST_TEST(file->size() == 12u);
  const TemporaryFile moved = std::move(file).value();
  BOOST_TEST(moved.read(6, 6).value() == std::string("wor\0ld", 6));
  BOOST_TEST(moved.read(0, 0).value().empty());
  const Result<std::string> beyond = moved.read(6, 7);
  BOOST_REQUIRE(!beyond);
  BOOST_TEST((beyond.error().code == Code::io));
}

BOOST_AUTO_TEST_SUITE_END()
