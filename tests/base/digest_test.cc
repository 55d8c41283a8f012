// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "temporary_folder.h"

using namespace promptsweep;

namespace {

// FIPS 180-4 example values.
constexpr char sha_of_nothing[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char sha_of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char sha_of_a_million_a[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

}  // namespace

BOOST_AUTO_TEST_SUITE(digest)

BOOST_AUTO_TEST_CASE(sha256_gives_the_published_values) {
  BOOST_TEST(sha256_hex("") == sha_of_nothing);
  BOOST_TEST(sha256_hex("abc") == sha_of_abc);
  BOOST_TEST(sha256_hex(std::string(1'000'000, 'a')) == sha_of_a_million_a);
}

BOOST_AUTO_TEST_CASE(pieces_hash_as_the_whole) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) {
    hash.update(std::string(999, 'a'));
    hash.update("");
    hash.update("a");
  }
  Sha256 moved = std::move(hash);
  BOOST_TEST(moved.hex() == sha_of_a_million_a);
  BOOST_TEST(Sha256().hex() == sha_of_nothing);
}

BOOST_AUTO_TEST_CASE(a_file_hashes_as_its_bytes) {
  TemporaryFolder folder;
  const std::string bytes(200'001, 'x');
  std::ofstream(folder / "f", std::ios::binary) << bytes;
  std::ofstream(folder / "empty", std::ios::binary);
  BOOST_TEST(sha256_hex_of_file(folder / "f").value() == sha256_hex(bytes));
  BOOST_TEST(sha256_hex_of_file(folder / "empty").value() == sha_of_nothing);
  const Result<std::string> absent = sha256_hex_of_file(folder / "absent");
  BOOST_REQUIRE(!absent);
  BOOST_TEST(absent.error().text.find((folder / "absent").string()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(content_ids_are_the_digest_in_base32) {
  // RFC 4648 base 32, lower case, of the digests above, cut to 26 characters.
  BOOST_TEST(content_id("") == "4oymiquy7qobjgx36tejs35zeq");
  BOOST_TEST(content_id("abc") == "xj4bnp4pahh6uqkbidpf3lrceo");
  std::set<std::string> seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = content_id(std::to_string(i));
    BOOST_TEST_REQUIRE(id.size() == 26);
    BOOST_TEST_REQUIRE(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") ==
                       std::string::npos);
    seen.insert(id);
  }
  BOOST_TEST(seen.size() == 2000);
}

BOOST_AUTO_TEST_CASE(content_seed_is_the_digest_big_endian) {
  BOOST_TEST(content_seed("abc") == 0xba7816bf8f01cfeau);
}

BOOST_AUTO_TEST_CASE(field_lists_never_share_their_bytes) {
  const std::vector<std::vector<std::string>> lists{
      {},         {""},    {"", ""},     {"ab"},    {"a", "b"},    {"", "ab"},
      {"ab", ""}, {"1:a"}, {"a", "1:b"}, {"a1:b"},  {"1", ":a"},   {"a1:", "b"},
      {"a:b"},    {"0:"},  {"0", ":"},   {"3:a,b"}, {"a", "b", ""}};
  std::set<std::string> seen;
  for (const auto& list : lists) {
    FieldHash hash;
    for (const std::string& field : list) hash.add(field);
    seen.insert(hash.bytes());
  }
  BOOST_TEST(seen.size() == lists.size());
  BOOST_TEST(FieldHash().add(std::int64_t{-7}).bytes() == FieldHash().add("-7").bytes());
}

BOOST_AUTO_TEST_SUITE_END()
