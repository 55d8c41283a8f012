// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "dataset/dataset.h"
#include "shared_data.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

struct Files {
  TemporaryFolder folder;

  Result<DatasetFile> read(DatasetFormat format, const std::string& text,
                           std::optional<TaskType> task = {},
                           std::map<std::string, std::string> columns = {}) {
    DatasetSource source;
    source.name = "d";
    source.format = format;
    source.task = task;
    source.columns = std::move(columns);
    source.path = folder / "file";
    std::ofstream(source.path) << text;
    return read_dataset(source);
  }
  std::vector<Item> items(DatasetFormat format, const std::string& text,
                          std::optional<TaskType> task = {},
                          std::map<std::string, std::string> columns = {}) {
    Result<DatasetFile> file = read(format, text, task, std::move(columns));
    BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().text));
    return all_items(*file->items).value();
  }
  // The message, with the folder's name taken off.
  std::string problem(DatasetFormat format, const std::string& text,
                      std::optional<TaskType> task = {},
                      std::map<std::string, std::string> columns = {}) {
    Result<DatasetFile> file = read(format, text, task, std::move(columns));
    BOOST_REQUIRE(!file);
    BOOST_TEST((file.error().code == Code::invalid_input));
    return file.error().text.substr(folder.path().string().size() + 1);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(readers, Files)

BOOST_AUTO_TEST_CASE(squad_2) {
  const auto got = items(
      DatasetFormat::squad,
      R"({"version":"v2.0","data":[{"title":"t","paragraphs":[{"context":"Paris  is\nbig.","qas":[
    {"id":"1","question":" Which  city? ","answers":[{"text":"Paris","answer_start":0}],"is_impossible":false},
    {"id":"2","question":"Who?","answers":[],"is_impossible":true},
    {"id":"3","question":"Flagged?","answers":[{"text":"Paris"}],"is_impossible":true}]}]}]})");
  BOOST_REQUIRE(got.size() == 3u);
  BOOST_TEST(got[0].question == "Which city?");
  BOOST_TEST(got[0].context == "Paris is big.");
  BOOST_TEST((got[0].metric == Metric::squad_v2));
  BOOST_TEST(!got[0].is_unanswerable);
  BOOST_TEST(got[1].is_unanswerable);
  BOOST_TEST(got[2].is_unanswerable);
  BOOST_TEST(got[2].answers.empty());
}

BOOST_AUTO_TEST_CASE(squad_1) {
  const auto got = items(
      DatasetFormat::squad,
      R"({"version":"1.1","data":[{"paragraphs":[{"context":"c","qas":[{"id":"1","question":"q","answers":[{"text":"c"}]}]}]}]})");
  BOOST_TEST((got.at(0).metric == Metric::squad_v1));
}

BOOST_AUTO_TEST_CASE(squad_problems_name_the_question) {
  BOOST_TEST(problem(DatasetFormat::squad, "{").starts_with("file:1: not JSON"));
  BOOST_TEST(problem(DatasetFormat::squad, "[]").find("no SQuAD file") != std::string::npos);
  BOOST_TEST(
      problem(DatasetFormat::squad,
              R"({"data":[{"paragraphs":[{"context":"c","qas":[{"id":"1","answers":[]}]}]}]})") ==
      "file: question 1 has no question");
  BOOST_TEST(
      problem(DatasetFormat::squad,
              R"({"data":[{"paragraphs":[{"qas":[{"id":"1","question":"q","answers":[]}]}]}]})") ==
      "file: question 1 has no context");
}

BOOST_AUTO_TEST_CASE(triviaqa_keeps_the_normalized_aliases_as_they_stand) {
  const auto got =
      items(DatasetFormat::triviaqa, R"({"Data":[{"Question":"q","QuestionId":"tc_1","Answer":
    {"Value":"A","Aliases":["A","B"],"NormalizedAliases":["a"," b"],"HumanAnswers":["C"]}}]})");
  BOOST_REQUIRE(got.size() == 1u);
  BOOST_TEST((got[0].answers == std::vector<std::string>{"A", "B", "C"}));
  BOOST_TEST((got[0].human_answers == std::vector<std::string>{"C"}));
  BOOST_TEST(got[0].normalized_aliases.at(0) == "a");
  BOOST_TEST(problem(DatasetFormat::triviaqa, R"({"Data":[{"Question":"q"}]})") ==
             "file: question 1 has no Answer");
}

BOOST_AUTO_TEST_CASE(nq_open_ids_come_from_the_question) {
  const auto got = items(
      DatasetFormat::nq_open,
      "{\"question\":\"q\",\"answer\":[\"a\",\"b\"]}\n\n{\"question\":\"r\",\"answer\":[\"c\"]}\n");
  BOOST_REQUIRE(got.size() == 2u);
  BOOST_TEST(got[0].id != got[1].id);
  BOOST_TEST(got[0].id ==
             items(DatasetFormat::nq_open, R"({"question":"q","answer":["other"]})").at(0).id);
}

// D30: a malformed line is an error that names it, never skipped.
BOOST_AUTO_TEST_CASE(malformed_lines_are_errors) {
  BOOST_TEST(
      problem(DatasetFormat::nq_open, "{\"question\":\"q\",\"answer\":[\"a\"]}\n{broken\n") ==
      "file:2: this line is not JSON");
  BOOST_TEST(problem(DatasetFormat::nq_open, "{\"question\":\"q\"}\n") ==
             "file:1: no list of texts \"answer\"");
  BOOST_TEST(problem(DatasetFormat::prepared, "{\"question\":\"q\",\"answers\":\"a\"}\n") ==
             "file:1: no list of texts \"answers\"");
  BOOST_TEST(problem(DatasetFormat::prepared,
                     "{\"dataset\":\"d\",\"id\":\"1\",\"question\":\"q\",\"answers\":[]}\n") ==
             "file:1: a closed-book row needs answers");
  BOOST_TEST(problem(DatasetFormat::nq_open, "{\"question\":\"q\xFF\",\"answer\":[\"a\"]}\n") ==
             "file:1: found bytes that are not UTF-8; save the file as UTF-8");
}

BOOST_AUTO_TEST_CASE(prepared_rows_of_both_kinds) {
  const std::string closed =
      "{\"dataset\":\"triviaqa\",\"id\":\"1\",\"question\":\"q\",\"answers\":[\"a\"]}\n";
  const std::string open =
      "{\"dataset\":\"squad_v2\",\"id\":\"1\",\"context\":\"c\",\"question\":\"q\",\"answers\":["
      "\"a\"],\"is_unanswerable\":true}\n";
  const auto got = items(DatasetFormat::prepared, closed + open);
  BOOST_TEST((got.at(0).metric == Metric::triviaqa));
  BOOST_TEST((got.at(1).metric == Metric::squad_v2));
  BOOST_TEST(got.at(1).is_unanswerable);
  BOOST_TEST(problem(DatasetFormat::prepared, closed, TaskType::open_book) ==
             "file:1: an open_book row needs a \"context\"");
  BOOST_TEST(problem(DatasetFormat::prepared, closed + closed).find("the same id triviaqa|1") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(csv_with_quotes_newlines_and_a_column_map) {
  const auto got =
      items(DatasetFormat::csv,
            "\xEF\xBB\xBFQ,\"Gold, all\",n\r\n\"He said \"\"hi\"\",\nthen "
            "left\",\"[\"\"a\"\",\"\"b\"\"]\",7\r\nplain,one,8",
            TaskType::closed_book, {{"question", "Q"}, {"answers", "Gold, all"}, {"id", "n"}});
  BOOST_REQUIRE(got.size() == 2u);
  BOOST_TEST(got[0].question == "He said \"hi\", then left");
  BOOST_TEST((got[0].answers == std::vector<std::string>{"a", "b"}));
  BOOST_TEST(got[1].id == "8");
}

BOOST_AUTO_TEST_CASE(csv_problems_name_the_line) {
  const auto closed = TaskType::closed_book;
  BOOST_TEST(problem(DatasetFormat::csv, "question\nq\n", closed) ==
             "file:1: no column \"answers\" for answers");
  BOOST_TEST(problem(DatasetFormat::csv, "question,answers\n\"a\nb\",x\nq\n", closed) ==
             "file:4: 1 fields where the header has 2");
  BOOST_TEST(problem(DatasetFormat::csv, "question,answers\n\"open,x\n", closed) ==
             "file:2: a quoted field is never closed");
  BOOST_TEST(problem(DatasetFormat::csv, "question,answers\nq,[1]\n", closed)
                 .find("no JSON list of texts") != std::string::npos);
  BOOST_TEST(problem(DatasetFormat::csv, "question,answers\nq,a\n").find("needs task") !=
             std::string::npos);
  BOOST_TEST(problem(DatasetFormat::csv, "question,answers\nq,a\n", closed, {{"frage", "question"}})
                 .find("frage") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(real_files_load) {
  const auto shared = shared_folder();
  if (!shared) return;
  const auto count = [&](DatasetFormat format, const char* name) {
    DatasetSource source;
    source.name = "d";
    source.format = format;
    source.path = *shared / "data" / name;
    Result<DatasetFile> file = read_dataset(source);
    BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().text));
    return all_items(*file->items).value();
  };
  const auto squad = count(DatasetFormat::squad, "squad/dev-v2.0.slice.json");
  BOOST_TEST(squad.size() == 412u);
  std::size_t unanswerable = 0;
  for (const Item& item : squad) unanswerable += item.is_unanswerable ? 1 : 0;
  BOOST_TEST(unanswerable == 198u);
  BOOST_TEST(count(DatasetFormat::triviaqa, "triviaqa/triviaqa-1000.json").size() == 1000u);
  BOOST_TEST(count(DatasetFormat::nq_open, "nq_open/NQ-open.efficientqa.dev.1.1.jsonl").size() ==
             1800u);
}

BOOST_AUTO_TEST_SUITE_END()
