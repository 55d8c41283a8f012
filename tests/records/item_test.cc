// SPDX-License-Identifier: Apache-2.0
#include "records/item.h"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <nlohmann/json.hpp>

using namespace promptsweep;
using nlohmann::json;

namespace {

Item full_item() {
  Item item;
  item.dataset = "squad|v2";
  item.id = "id \"1\"\\";
  item.type = TaskType::open_book;
  item.metric = Metric::squad_v2;
  item.question = "Who?\n東京";
  item.context = "A passage\twith\u2028separators.";
  item.answers = {"Tokyo", "", "東京"};
  item.normalized_aliases = {"tokyo"};
  item.human_answers = {"The capital"};
  item.is_unanswerable = true;
  return item;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(items)

BOOST_AUTO_TEST_CASE(json_keeps_every_field) {
  const std::vector<std::function<void(Item&)>> edits{
      [](Item&) {},
      [](Item& i) { i.dataset = "other"; },
      [](Item& i) { i.id = "other"; },
      [](Item& i) { i.type = TaskType::closed_book; },
      [](Item& i) { i.metric = Metric::squad_v1; },
      [](Item& i) { i.metric = Metric::triviaqa; },
      [](Item& i) { i.metric = Metric::nq_open; },
      [](Item& i) { i.question.clear(); },
      [](Item& i) { i.context.clear(); },
      [](Item& i) { i.answers.clear(); },
      [](Item& i) { i.normalized_aliases.push_back("x"); },
      [](Item& i) { i.human_answers.clear(); },
      [](Item& i) { i.is_unanswerable = false; }};
  for (const auto& edit : edits) {
    Item item = full_item();
    edit(item);
    const std::string text = to_json(item);
    BOOST_TEST(text.find('\n') == std::string::npos);
    const std::optional<Item> back = item_from_json(text);
    BOOST_REQUIRE(back);
    BOOST_CHECK(*back == item);
    BOOST_TEST(to_json(*back) == text);
  }
}

BOOST_AUTO_TEST_CASE(a_document_that_lacks_or_misnames_a_member_is_no_item) {
  const json whole = json::parse(to_json(full_item()));
  BOOST_TEST(whole.size() == 10u);
  for (const auto& [name, value] : whole.items()) {
    json part = whole;
    part.erase(name);
    BOOST_TEST(!item_from_json(part.dump()), name);
    part[name] = 7;  // no member is a number
    BOOST_TEST(!item_from_json(part.dump()), name);
  }
  json unknown = whole;
  unknown["metric"] = "bleu";
  BOOST_TEST(!item_from_json(unknown.dump()));
  unknown = whole;
  unknown["type"] = "ajar";
  BOOST_TEST(!item_from_json(unknown.dump()));
  for (const char* text : {"", "{", "[]", "null", "\"item\""}) {
    BOOST_TEST(!item_from_json(text), text);
  }
}

BOOST_AUTO_TEST_CASE(names_go_there_and_back) {
  BOOST_TEST(to_string(TaskType::closed_book) == "closed");
  BOOST_TEST(to_string(TaskType::open_book) == "open");
  for (TaskType type : {TaskType::closed_book, TaskType::open_book}) {
    BOOST_CHECK(task_type_from(to_string(type)) == type);
  }
  BOOST_CHECK(task_type_from("closed_book") == TaskType::closed_book);
  BOOST_CHECK(task_type_from("open_book") == TaskType::open_book);
  BOOST_CHECK(!task_type_from("Open"));
  for (Metric metric : {Metric::squad_v2, Metric::squad_v1, Metric::triviaqa, Metric::nq_open}) {
    BOOST_CHECK(metric_from(to_string(metric)) == metric);
  }
  BOOST_CHECK(!metric_from("unknown"));
}

BOOST_AUTO_TEST_SUITE_END()
