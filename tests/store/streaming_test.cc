// SPDX-License-Identifier: Apache-2.0
// Reading and writing row by row.
#include "plan_fixture.h"
#include "store/request_index.h"
#include "store/run_store.h"
#include "temporary_folder.h"

using namespace store_test;

BOOST_AUTO_TEST_SUITE(streaming)

BOOST_AUTO_TEST_CASE(the_index_knows_every_id_and_what_was_set) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2'000; ++i) ids.push_back("id" + std::to_string(i));
  RequestIndex index = value_of(RequestIndex::build([&](const RequestIndex::Take& take) -> Status {
    for (std::size_t i = 0; i < ids.size(); ++i) take(ids[i], i % 3 == 0);
    return ok;
  }));
  using State = RequestIndex::State;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    BOOST_REQUIRE(index.state(ids[i]) == (i % 3 == 0 ? State::accepted : State::open));
  }
  BOOST_CHECK(index.state("id2000") == State::unknown);
  BOOST_CHECK(RequestIndex().state("id0") == State::unknown);
  index.set("id1", true);
  index.set("id0", false);
  BOOST_CHECK(index.state("id1") == State::accepted);
  BOOST_CHECK(index.state("id0") == State::open);
  check_refused(RequestIndex::build([](const RequestIndex::Take&) -> Status {
                  return Error{Code::io, "gone"};
                }),
                Code::io, "gone");
}

BOOST_AUTO_TEST_CASE(requests_come_in_pages_with_their_results) {
  TemporaryFolder folder;
  const auto rows = request_rows(700);
  auto store = new_arm(folder / "arm.sqlite", rows);
  require_ok(store->put_result(result_for(rows[300].request_id, Outcome::ok, "here")));
  std::int64_t count = 0;
  require_ok(store->for_each_request([&](std::int64_t position, const RequestRow& row) -> Status {
    BOOST_REQUIRE(position == count);
    BOOST_REQUIRE(row.request_id == rows[static_cast<std::size_t>(count++)].request_id);
    return ok;
  }));
  BOOST_TEST(count == 700);
  check_refused(store->for_each_request([](std::int64_t position, const RequestRow&) -> Status {
    return position < 400 ? Status(ok) : Status(Error{Code::io, "enough"});
  }),
                Code::io, "enough");

  std::vector<ArmStore::StoredRequest> page;
  require_ok(store->read_page(299, 3, page));
  BOOST_REQUIRE_EQUAL(page.size(), 3U);
  BOOST_TEST(page[0].request.request_id == rows[299].request_id);
  BOOST_TEST(!page[0].accepted.has_value());
  BOOST_REQUIRE(page[1].accepted.has_value());
  BOOST_TEST(page[1].accepted->result.text == "here");
  page.clear();
  require_ok(store->read_page(700, 3, page));
  BOOST_TEST(page.empty());
}

// A producer that fails leaves no arm; the same rows again are known by their hash alone.
BOOST_AUTO_TEST_CASE(rows_are_produced_into_the_store) {
  TemporaryFolder folder;
  const auto rows = request_rows(3);
  auto store = value_of(ArmStore::open(folder / "arm.sqlite"));
  int produced = 0;
  bool breaks = true;
  const ArmStore::ProduceRequests produce = [&](const ArmStore::TakeRequest& take) -> Status {
    ++produced;
    for (const RequestRow& row : rows) {
      if (Status taken = take(row); !taken) return taken;
    }
    return breaks ? Status(Error{Code::io, "the items are gone"}) : Status(ok);
  };
  check_refused(store->initialise(arm_spec(), produce), Code::io, "gone");
  check_refused(store->arm(), Code::state, "no arm");
  breaks = false;
  require_ok(store->initialise(arm_spec(), produce));
  BOOST_TEST(value_of(store->progress()).expected == 3);
  produced = 0;
  require_ok(store->initialise(arm_spec(), produce));
  BOOST_TEST(produced == 1);
  require_ok(store->put_result(result_for(rows[2].request_id)));
}

BOOST_AUTO_TEST_CASE(scores_are_replaced_all_or_none) {
  TemporaryFolder folder;
  const auto rows = request_rows(3);
  auto store = new_arm(folder / "arm.sqlite", rows);
  for (const RequestRow& row : rows) require_ok(store->put_result(result_for(row.request_id)));
  const auto score = [&](const std::string& hash, double em, const std::string& breaks_at) {
    return store->score_all(
        hash, [&](const ArmStore::AcceptedResult& row) -> Result<std::optional<Score>> {
          if (row.request.request_id == breaks_at) return Error{Code::data, "no such item"};
          if (row.request.request_id == rows[1].request_id) return std::optional<Score>();
          Score out;
          out.em = em;
          return std::optional<Score>(out);
        });
  };
  require_ok(score("first", 1, ""));
  check_refused(score("second", 0, rows[2].request_id), Code::data, "no such item");
  BOOST_TEST(value_of(store->scores_input_hash()) == "first");
  BOOST_TEST(value_of(store->accepted(rows[0].request_id))->score->em == 1);
  BOOST_TEST(!value_of(store->accepted(rows[1].request_id))->score.has_value());
  require_ok(score("second", 0, ""));
  BOOST_TEST(value_of(store->accepted(rows[2].request_id))->score->em == 0);
}

BOOST_AUTO_TEST_CASE(pinned_items_are_read_and_found_in_the_store) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  std::vector<Item> items;
  for (int i = 0; i < 600; ++i) items.push_back(item(i));
  require_ok(run->write_plan(two_set_plan(), ItemList(items), false));
  const auto stored = value_of(run->items());
  BOOST_TEST(stored->size() == 600);
  BOOST_CHECK(value_of(all_items(*stored)) == items);
  BOOST_CHECK(value_of(stored->find("nq|q433")) == items[433]);
  BOOST_CHECK(!value_of(stored->find("nq|q600")));
  BOOST_CHECK(!value_of(stored->find("")));
  BOOST_TEST(value_of(run->items_sha256_of("control")) == "items-1");
  BOOST_TEST(value_of(run->pinned_items("items-1"))->size() == 600);
  check_refused(run->pinned_items("others"), Code::not_found, "others");

  // A set that is pinned is not read again.
  class Unread final : public ItemSource {
   public:
    std::int64_t size() const override { return 600; }
    Status for_each(const Visit&) const override { return Error{Code::io, "was read"}; }
    Result<std::optional<Item>> find(const std::string&) const override {
      return Error{Code::io, "was read"};
    }
  };
  require_ok(run->write_plan(two_set_plan(), Unread(), false));
}

BOOST_AUTO_TEST_CASE(the_selection_record_is_the_latest) {
  TemporaryFolder folder;
  auto run = value_of(RunStore::open_for_writing(folder / "run_r1"));
  BOOST_CHECK(!value_of(run->selection()));
  require_ok(run->record_selection({"one", "{}"}));
  require_ok(run->record_selection({"two", R"({"a":1})"}));
  const auto record = value_of(run->selection());
  BOOST_REQUIRE(record.has_value());
  BOOST_TEST(record->input_hash == "two");
  BOOST_TEST(record->facts_json == R"({"a":1})");
  auto reader = value_of(RunStore::open_read_only(folder / "run_r1"));
  BOOST_TEST(value_of(reader->selection())->input_hash == "two");
  check_refused(reader->record_selection({"x", "{}"}), Code::state, "reading only");
}

BOOST_AUTO_TEST_SUITE_END()
