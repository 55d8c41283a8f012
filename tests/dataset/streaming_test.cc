// SPDX-License-Identifier: Apache-2.0
// What reading in windows and keeping items outside memory must not change.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "base/digest.h"
#include "dataset/dataset.h"
#include "dataset/selection_record.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

struct Files {
  TemporaryFolder folder;

  DatasetFile read(DatasetFormat format, const std::string& text) {
    DatasetSource source;
    source.name = "d";
    source.format = format;
    source.path = folder / "file";
    if (format == DatasetFormat::csv) source.task = TaskType::closed_book;
    std::ofstream(source.path, std::ios::binary) << text;
    Result<DatasetFile> file = read_dataset(source);
    BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().text));
    BOOST_TEST(file->sha256 == sha256_hex(text));
    BOOST_TEST(file->bytes == static_cast<std::int64_t>(text.size()));
    return std::move(file).value();
  }
};

Item item(int number, std::size_t size) {
  Item out;
  out.dataset = "d";
  out.id = std::to_string(number);
  out.question = std::string(size, static_cast<char>('a' + number % 26));
  out.answers = {"x"};
  return out;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(streaming, Files)

BOOST_AUTO_TEST_CASE(lines_longer_than_a_window_are_whole) {
  const std::string first(200'000, 'q'), second(65'536, 'r');
  const DatasetFile file =
      read(DatasetFormat::nq_open, "{\"question\":\"" + first + "\",\"answer\":[\"x\"]}\n\n" +
                                       "{\"question\":\"" + second + "\",\"answer\":[\"y\"]}");
  BOOST_REQUIRE(file.items->size() == 2);
  BOOST_CHECK(file.items->item(0).value().question == first);
  BOOST_CHECK(file.items->item(1).value().question == second);
}

// Every record is parsed from as little text as there is, so that each kind of end is met.
BOOST_AUTO_TEST_CASE(csv_records_may_end_anywhere) {
  const std::string lines = std::string(3'000, '\n');
  const DatasetFile file =
      read(DatasetFormat::csv, "\xEF\xBB\xBFquestion,answers\r\n\"a\n\"\"b\"\" " + lines +
                                   "c\",x\r\n\n\"d\"\"\",\"y\"\r\n" + "e\"f,z\n\"last\",\"w\"");
  const std::vector<Item> items = all_items(*file.items).value();
  BOOST_REQUIRE(items.size() == 4u);
  BOOST_TEST(items[0].question == "a \"b\" c");
  BOOST_TEST(items[1].question == "d\"");
  BOOST_TEST(items[2].question == "e\"f");
  BOOST_TEST(items[3].question == "last");
  BOOST_TEST(items[3].answers.at(0) == "w");
}

BOOST_AUTO_TEST_CASE(errors_keep_their_line_after_long_records) {
  DatasetSource source;
  source.name = "d";
  source.format = DatasetFormat::csv;
  source.task = TaskType::closed_book;
  source.path = folder / "file";
  std::ofstream(source.path) << "question,answers\n\"" + std::string(500, '\n') + "q\",x\nlone\n";
  const Result<DatasetFile> file = read_dataset(source);
  BOOST_REQUIRE(!file);
  BOOST_TEST(file.error().text.find(":503: 1 fields where the header has 2") != std::string::npos,
             file.error().text);
}

BOOST_AUTO_TEST_CASE(a_spool_larger_than_memory_gives_every_item_back) {
  ItemSpool spool;
  for (int i = 0; i < 120; ++i) BOOST_REQUIRE(spool.append(item(i, 100'000)));  // 12 MB
  BOOST_TEST(spool.size() == 120);
  for (const int i : {119, 0, 41, 42, 118}) {
    BOOST_CHECK(spool.item(static_cast<std::size_t>(i)).value() == item(i, 100'000));
  }
  std::int64_t next = 0;
  BOOST_REQUIRE(spool.for_each([&](std::int64_t position, const Item& got) -> Status {
    BOOST_REQUIRE(position == next++);
    BOOST_REQUIRE(got.id == std::to_string(position));
    return ok;
  }));
  BOOST_TEST(next == 120);
  BOOST_CHECK(spool.find("d|77").value() == item(77, 100'000));
  BOOST_CHECK(!spool.find("d|120").value());
}

BOOST_AUTO_TEST_CASE(a_repeated_key_is_named_by_its_first_repetition) {
  ItemSpool spool;
  for (const int i : {0, 1, 2, 1, 0}) BOOST_REQUIRE(spool.append(item(i, 3)));
  const auto repeated = spool.repeated_key().value();
  BOOST_REQUIRE(repeated.has_value());
  BOOST_TEST(repeated->first == 1u);
  BOOST_TEST(repeated->second == 3u);
}

BOOST_AUTO_TEST_CASE(the_record_holds_the_facts_and_follows_every_input) {
  DatasetFile file;
  file.items = std::make_shared<ItemSpool>();
  for (int i = 0; i < 5; ++i) BOOST_REQUIRE(file.items->append(item(i, 10)));
  const SelectionFacts facts = select_items({file}, {}).value().facts;
  const auto again = selection_facts_from_json(to_json(facts));
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->items_sha256 == facts.items_sha256);
  BOOST_TEST(again->size() == 5);
  BOOST_TEST(again->closed_book.quarters == facts.closed_book.quarters,
             boost::test_tools::per_element());
  BOOST_TEST(again->counts.at(0).available == 5);
  BOOST_TEST(!selection_facts_from_json("{}").has_value());

  const HashedSource base{DatasetSource{}, "aa"};
  std::vector<std::string> hashes{selection_input_hash({base}, {})};
  const auto with = [&](auto change) {
    HashedSource source = base;
    SelectionLimits limits;
    change(source, limits);
    hashes.push_back(selection_input_hash({source}, limits));
  };
  with([](HashedSource& s, SelectionLimits&) { s.sha256 = "ab"; });
  with([](HashedSource& s, SelectionLimits&) { s.source.name = "other"; });
  with([](HashedSource& s, SelectionLimits&) { s.source.task = TaskType::open_book; });
  with([](HashedSource& s, SelectionLimits&) { s.source.format = DatasetFormat::csv; });
  with([](HashedSource& s, SelectionLimits&) { s.source.columns["id"] = "key"; });
  with([](HashedSource& s, SelectionLimits&) { s.source.max_items = 0; });
  with([](HashedSource&, SelectionLimits& l) { l.seed = 1; });
  with([](HashedSource&, SelectionLimits& l) { l.max_items_by_dataset["d"] = 3; });
  with([](HashedSource&, SelectionLimits& l) { l.limit_items = 3; });
  with([](HashedSource&, SelectionLimits& l) { l.limit_items_per_dataset = 3; });
  std::sort(hashes.begin(), hashes.end());
  BOOST_TEST((std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end()));
  HashedSource moved = base;
  moved.source.path = "elsewhere";
  BOOST_TEST(selection_input_hash({moved}, {}) == selection_input_hash({base}, {}));
}

BOOST_AUTO_TEST_SUITE_END()
