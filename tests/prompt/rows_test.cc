// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "base/digest.h"
#include "base/random.h"
#include "prompt/arm_fixture.h"
#include "prompt/render.h"
#include "rows_of.h"

using namespace promptsweep;

namespace {

std::vector<Item> some_items() {
  std::vector<Item> items;
  for (int i = 0; i < 50; ++i) items.push_back(closed_item("q" + std::to_string(i)));
  for (int i = 0; i < 30; ++i) items.push_back(open_item("q" + std::to_string(i)));
  return items;
}

std::set<std::string> ids_of(const std::vector<RequestRow>& rows) {
  std::set<std::string> out;
  for (const RequestRow& row : rows) out.insert(row.request_id);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_row)

// The seed, the digest and the id were computed apart from this code.
BOOST_AUTO_TEST_CASE(a_row_has_stable_values) {
  const std::vector<RequestRow> rows = rows_of(sampling_arm(), "org/model-1", {closed_item("q1")});
  BOOST_REQUIRE(rows.size() == 2u);
  const RequestRow& row = rows[1];
  BOOST_TEST(row.item_key == "nq|q1");
  BOOST_TEST(row.sample_index == 1);
  BOOST_CHECK(row.type == TaskType::closed_book);
  BOOST_TEST(row.seed == 1701065548u);
  BOOST_TEST(row.content_sha256 ==
             "b7a72a3b3b49db63684167316e99d8051d06d2db251a0d2ec8e794b5c1b56a0a");
  BOOST_TEST(row.request_id == "rphxhq7n7favfgh52njomkrl2r");
  BOOST_TEST(row.custom_id == "nq|q1|treatment|0.7|1|closed");
}

BOOST_AUTO_TEST_CASE(rows_are_in_item_order_samples_innermost) {
  const std::vector<Item> items = some_items();
  const std::vector<RequestRow> rows = rows_of(sampling_arm(), "m", items);
  BOOST_REQUIRE(rows.size() == 2 * items.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST(rows[i].item_key == item_key(items[i / 2]));
    BOOST_TEST(rows[i].sample_index == static_cast<int>(i % 2));
    BOOST_CHECK(rows[i].type == items[i / 2].type);
  }
}

BOOST_AUTO_TEST_CASE(ids_are_unique_within_and_across_arms) {
  std::set<std::string> ids, customs;
  std::size_t count = 0;
  ArmSpec greedy = greedy_arm();
  greedy.arm_id = "arm2";
  greedy.decoding.samples_per_item = 3;  // three requests of one content
  ArmSpec twin = sampling_arm();
  twin.arm_id = "arm3";
  for (const ArmSpec& arm : {sampling_arm(), greedy, twin}) {
    const std::vector<RequestRow> rows = rows_of(arm, "m", some_items());
    count += rows.size();
    ids.merge(ids_of(rows));
    for (const RequestRow& row : rows) customs.insert(row.custom_id);
  }
  BOOST_TEST(ids.size() == count);
  BOOST_TEST(customs.size() == 80u * (2 + 3));  // twins differ in their arm alone
}

BOOST_AUTO_TEST_CASE(order_never_enters_ids_or_seeds) {
  std::vector<Item> items = some_items();
  std::map<std::string, RequestRow> before;
  for (const RequestRow& row : rows_of(sampling_arm(), "m", items)) {
    before[row.custom_id] = row;
  }
  Random random(1);
  shuffle(items, random);
  items.resize(40);
  for (const RequestRow& row : rows_of(sampling_arm(), "m", items)) {
    BOOST_REQUIRE(before.contains(row.custom_id));
    BOOST_TEST(before[row.custom_id].request_id == row.request_id);
    BOOST_TEST(before[row.custom_id].seed == row.seed);
  }
}

BOOST_AUTO_TEST_CASE(the_id_follows_whatever_is_sent) {
  const std::vector<Item> items{open_item("q")};
  const std::set<std::string> base = ids_of(rows_of(sampling_arm(), "m", items));
  std::vector<ArmSpec> arms(7, sampling_arm());
  arms[0].system_prompt += " ";
  arms[1].instructions.open_book += "!";
  arms[2].decoding.temperature = 0.8;
  arms[3].decoding.top_p.reset();
  arms[4].decoding.max_new_tokens.open_book = 1;
  arms[5].decoding.stop.clear();
  arms[6].decoding.seed = 1;
  for (const ArmSpec& arm : arms) {
    for (const std::string& id : ids_of(rows_of(arm, "m", items))) {
      BOOST_TEST(!base.contains(id));
    }
  }
  std::vector<Item> edited = items;
  edited[0].context += " ";
  for (const std::string& id : ids_of(rows_of(sampling_arm(), "m", edited))) {
    BOOST_TEST(!base.contains(id));
  }
  // What this task type does not send leaves its ids alone.
  ArmSpec closed_edit = sampling_arm();
  closed_edit.instructions.closed_book += "!";
  closed_edit.decoding.max_new_tokens.closed_book = 1;
  BOOST_CHECK(ids_of(rows_of(closed_edit, "m", items)) == base);
}

BOOST_AUTO_TEST_CASE(the_content_is_the_line_without_its_id) {
  const Item item = open_item("q");
  const ArmSpec arm = sampling_arm();
  for (const RequestRow& row : rows_of(arm, "m", {item})) {
    BOOST_TEST(row.content_sha256 == sha256_hex(request_line(arm, "m", item, "", row.seed)));
  }
}

BOOST_AUTO_TEST_CASE(samples_and_the_salt_have_seeds_of_their_own) {
  const std::vector<Item> items{closed_item("q")};
  ArmSpec salted = sampling_arm();
  salted.salt = "aa";
  const auto plain = rows_of(sampling_arm(), "m", items);
  const auto other = rows_of(salted, "m", items);
  const std::set<std::uint32_t> seeds{plain[0].seed, plain[1].seed, other[0].seed, other[1].seed};
  BOOST_TEST(seeds.size() == 4u);
}

BOOST_AUTO_TEST_CASE(d43_a_custom_id_of_an_item_with_bars_splits_into_six) {
  const RequestRow row = rows_of(greedy_arm(), "m", {open_item("a|b|%7C")}).at(0);
  BOOST_TEST(split_id(row.custom_id) ==
                 (std::vector<std::string>{"squad", "a|b|%7C", "treatment", "0", "0", "open"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_list_finds_every_item_and_no_other) {
  const std::vector<Item> items = some_items();
  const ItemList list(items);
  for (const Item& item : items) BOOST_CHECK(list.find(item_key(item)).value() == item);
  for (const char* key : {"nq|absent", "", "zz|last"}) BOOST_CHECK(!list.find(key).value());
}

BOOST_AUTO_TEST_CASE(a_visit_that_fails_ends_the_rows) {
  int visited = 0;
  const Status done = for_each_request_row(sampling_arm(), "m", ItemList(some_items()),
                                           [&](const RequestRow&) -> Status {
                                             ++visited;
                                             return Error{Code::io, "full"};
                                           });
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().text == "full");
  BOOST_TEST(visited == 1);
}

BOOST_AUTO_TEST_SUITE_END()
