// SPDX-License-Identifier: Apache-2.0
// A malformed row is an error that says where; it never turns into a question without an answer,
// into another id or into another rule.
#include <boost/test/unit_test.hpp>
#include <string>

#include "base/env.h"
#include "dataset/dataset.h"
#include "temporary_folder.h"

namespace promptsweep {
namespace {

class Reader {
 public:
  explicit Reader(DatasetFormat format) { source_.format = format; }

  Result<DatasetFile> read(const std::string& text) {
    source_.name = "mine";
    source_.path = folder_ / "file";
    if (format_needs_task()) source_.task = TaskType::closed_book;
    BOOST_REQUIRE(bool(write_file_atomic(source_.path, text)));
    return read_dataset(source_);
  }
  Item only_item(const std::string& text) {
    Result<DatasetFile> file = read(text);
    BOOST_REQUIRE_MESSAGE(bool(file), (file ? "" : file.error().text));
    BOOST_REQUIRE(file->items->size() == 1);
    return all_items(*file->items).value().front();
  }
  void refuses(const std::string& text, const std::string& place, const std::string& reason) {
    const Result<DatasetFile> file = read(text);
    BOOST_REQUIRE_MESSAGE(!bool(file), "accepted: " + text);
    BOOST_TEST((file.error().code == Code::invalid_input));
    BOOST_TEST(file.error().text.starts_with(source_.path.string() + place), file.error().text);
    BOOST_TEST(file.error().text.find(reason) != std::string::npos, file.error().text);
  }

 private:
  bool format_needs_task() const { return source_.format == DatasetFormat::csv; }

  TemporaryFolder folder_;
  DatasetSource source_;
};

// A file of one article, one paragraph and the question with these members.
std::string squad(const std::string& members, const std::string& version = R"("v2.0")") {
  return R"({"version":)" + version +
         R"(,"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q",)" + members + "}]}]}]}";
}

}  // namespace

BOOST_AUTO_TEST_CASE(squad_answers_in_another_layout_are_not_unanswerable) {
  Reader reader(DatasetFormat::squad);
  reader.refuses(squad(R"("id":"1","answers":{"text":["Paris"],"answer_start":[0]})"),
                 ": question 1 ", "no list \"answers\"");
  reader.refuses(squad(R"("id":"1","is_impossible":false,"answer":[{"text":"x"}])"),
                 ": question 1 ", "no list \"answers\"");
  BOOST_TEST(reader.only_item(squad(R"("id":"1","answers":[])")).is_unanswerable);
  BOOST_TEST(reader.only_item(squad(R"("id":"1","is_impossible":true)")).is_unanswerable);
  BOOST_TEST(!reader.only_item(squad(R"("id":"1","answers":[{"text":"x"}])")).is_unanswerable);
}

BOOST_AUTO_TEST_CASE(squad_flags_and_lists_have_their_types) {
  Reader reader(DatasetFormat::squad);
  reader.refuses(squad(R"("id":"1","is_impossible":"true","answers":[{"text":"x"}])"),
                 ": question 1 ", "neither true nor false");
  reader.refuses(R"({"data":[{"paragraphs":[]},{"title":"t"}]})", ": article 2 ", "paragraphs");
  reader.refuses(R"({"data":[{"paragraphs":[{"context":"c","qas":{}}]}]})", ": article 1 ", "qas");
  reader.refuses(R"({"data":{}})", ":1: ", "no SQuAD file");
}

BOOST_AUTO_TEST_CASE(squad_version_decides_the_rule_and_flags_do_without_one) {
  Reader reader(DatasetFormat::squad);
  const auto metric = [&](const std::string& members, const std::string& version) {
    return to_string(reader.only_item(squad(members, version)).metric);
  };
  const std::string flagged = R"("id":"1","is_impossible":false,"answers":[{"text":"x"}])";
  const std::string plain = R"("id":"1","answers":[{"text":"x"}])";
  BOOST_TEST(metric(plain, R"("v2.0")") == "squad_v2");
  BOOST_TEST(metric(plain, R"("2.1")") == "squad_v2");
  BOOST_TEST(metric(flagged, R"("1.1")") == "squad_v1");
  BOOST_TEST(metric(flagged, R"("my own")") == "squad_v2");
  BOOST_TEST(metric(flagged, "null") == "squad_v2");
  BOOST_TEST(metric(plain, "null") == "squad_v1");
}

BOOST_AUTO_TEST_CASE(ids_are_texts_or_absent) {
  Reader squad_reader(DatasetFormat::squad);
  const std::string answer = R"(,"answers":[{"text":"x"}])";
  squad_reader.refuses(squad(R"("id":17)" + answer), ": question 1 ", "id that is no text");
  squad_reader.refuses(squad(R"("id":" ")" + answer), ": question 1 ", "id that is no text");
  const Item item = squad_reader.only_item(squad(answer.substr(1)));
  BOOST_TEST(item.id.starts_with("q-"));
  BOOST_TEST(squad_reader.only_item(squad(R"("id":null)" + answer)).id == item.id);

  Reader nq(DatasetFormat::nq_open);
  nq.refuses(
      "{\"question\":\"a\",\"answer\":[\"x\"]}\n{\"id\":2,\"question\":\"b\",\"answer\":[\"x\"]}\n",
      ":2: ", "\"id\" is no text");
  BOOST_TEST(nq.only_item(R"({"question":"q","answer":["x"]})").id == item.id);
  Reader trivia(DatasetFormat::triviaqa);
  trivia.refuses(R"({"Data":[{"QuestionId":3,"Question":"q","Answer":{"Value":"x"}}]})",
                 ": question 1 ", "QuestionId that is no text");
  Reader prepared(DatasetFormat::prepared);
  prepared.refuses(R"({"dataset":"d","id":1,"question":"q","answers":["x"]})",
                   ":1: ", "\"id\" is no text");
}

BOOST_AUTO_TEST_CASE(prepared_rows_say_one_thing_about_their_answers) {
  Reader reader(DatasetFormat::prepared);
  const auto open = [](const std::string& members) {
    return R"({"dataset":"d","id":"1","context":"c","question":"q")" + members + "}";
  };
  reader.refuses("\n" + open(R"(,"answer":["x"])"), ":2: ", "no list of texts \"answers\"");
  reader.refuses(open(R"(,"answers":null)"), ":1: ", "no list of texts \"answers\"");
  reader.refuses(open(R"(,"answers":[],"is_unanswerable":false)"), ":1: ", "there are no answers");
  reader.refuses(open(R"(,"answers":["x"],"is_unanswerable":0)"), ":1: ", "neither true nor false");
  BOOST_TEST(reader.only_item(open(R"(,"answers":[],"is_unanswerable":true)")).is_unanswerable);
  BOOST_TEST(reader.only_item(open(R"(,"answers":[])")).is_unanswerable);
  BOOST_TEST(!reader.only_item(open(R"(,"answers":["x"])")).is_unanswerable);
  reader.refuses(R"({"dataset":5,"question":"q","answers":["x"]})", ":1: ", "\"dataset\"");
  reader.refuses(R"({"question":"q","answers":[]})", ":1: ", "needs answers");
  reader.refuses(R"({"question":"q","is_unanswerable":true})", ":1: ", "cannot be unanswerable");
}

BOOST_AUTO_TEST_CASE(csv_answers_end_with_their_list) {
  Reader reader(DatasetFormat::csv);
  reader.refuses("question,answers\nq,\"[\"\"x\"\"],\"\"b\"\":1\"\n", ":2: ", "no JSON list");
  reader.refuses("question,answers\nq,\"[1]\"\n", ":2: ", "no JSON list");
  const Item item = reader.only_item("question,answers\nq,\"[\"\"x\"\", \"\"y, z\"\"]\"\n");
  BOOST_TEST((item.answers == std::vector<std::string>{"x", "y, z"}));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_utf8_are_found_by_line) {
  Reader reader(DatasetFormat::nq_open);
  const std::string good = "{\"question\":\"caf\xC3\xA9\",\"answer\":[\"x\"]}\n";
  const std::string bad = "{\"question\":\"caf\xE9\",\"answer\":[\"x\"]}";
  reader.refuses(good + bad + "\n", ":2: ", "not UTF-8");
  reader.refuses(bad + "\n" + good, ":1: ", "not UTF-8");
  reader.refuses(good + good + "\xC3", ":3: ", "not UTF-8");
}

}  // namespace promptsweep
