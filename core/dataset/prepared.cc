// SPDX-License-Identifier: Apache-2.0
// The original's prepared JSON lines. Open-book rows have a context; an unanswerable one has empty
// answers or is_unanswerable true. The metric follows the data set's name: squad_v2 and any other
// open-book set by the SQuAD 2.0 rule, triviaqa by TriviaQA's, nq_open and any other closed-book
// set by NQ-open's.
#include "dataset/json_rows.h"

namespace promptsweep {
namespace {

using nlohmann::json;

// The gold and whether there is none. A row that lacks its answers, or says two things, must not
// turn into an unanswerable question: that would change what a right answer is.
Status take_gold(const DatasetSource& source, const json& row, std::int64_t line, Item& item) {
  const auto flag = row.find("is_unanswerable");
  if (flag != row.end() && !flag->is_boolean())
    return row_error(source, line, "\"is_unanswerable\" is neither true nor false");
  item.is_unanswerable = flag != row.end() && flag->get<bool>();
  if (item.is_unanswerable) return ok;
  const auto answers = texts_member(row, "answers");
  if (!answers || !row.contains("answers") || row.at("answers").is_null())
    return row_error(source, line, "no list of texts \"answers\"");
  item.answers = *answers;
  if (!item.answers.empty()) return ok;
  if (item.type == TaskType::closed_book)
    return row_error(source, line, "a closed-book row needs answers");
  if (flag != row.end())
    return row_error(source, line, "\"is_unanswerable\" is false, and there are no answers");
  item.is_unanswerable = true;
  return ok;
}

Result<Item> prepared_item(const DatasetSource& source, const json& row, std::int64_t line) {
  Item item;
  const auto dataset = row.contains("dataset") ? text_member(row, "dataset") : source.name;
  if (!dataset || dataset->empty()) return row_error(source, line, "\"dataset\" is no text");
  item.dataset = *dataset;
  const auto question = text_member(row, "question");
  if (!question || question->empty()) return row_error(source, line, "no text \"question\"");
  item.question = *question;
  const auto id = id_member(row, "id", item.question);
  if (!id) return row_error(source, line, "\"id\" is no text; it may be left out");
  item.id = *id;
  item.type = row.contains("context") ? TaskType::open_book : TaskType::closed_book;
  if (source.task && *source.task != item.type) {
    return row_error(source, line,
                     source.task == TaskType::open_book ? "an open_book row needs a \"context\""
                                                        : "a closed_book row has no \"context\"");
  }
  if (Status taken = take_gold(source, row, line, item); !taken) return std::move(taken).error();
  if (item.type == TaskType::open_book) {
    const auto context = text_member(row, "context");
    if (!context || context->empty()) return row_error(source, line, "\"context\" is no text");
    item.context = *context;
    item.metric = Metric::squad_v2;
    return item;
  }
  if (item.is_unanswerable)
    return row_error(source, line, "a closed-book row cannot be unanswerable");
  item.metric = item.dataset == "triviaqa" ? Metric::triviaqa : Metric::nq_open;
  return item;
}

}  // namespace

Status read_prepared(const DatasetSource& source, SourceFile& file, const TakeItem& take) {
  return for_each_json_line(source, file, [&](const json& row, std::int64_t line) -> Status {
    const Result<Item> item = prepared_item(source, row, line);
    if (!item) return item.error();
    return take(*item);
  });
}

}  // namespace promptsweep
