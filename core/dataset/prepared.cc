// SPDX-License-Identifier: Apache-2.0
// The original's prepared JSON lines. Open-book rows have a context. The metric follows the data
// set's name: squad_v2 and any other open-book set by the SQuAD 2.0 rule, triviaqa by TriviaQA's,
// nq_open and any other closed-book set by NQ-open's.
#include "dataset/json_rows.h"

namespace promptsweep {
namespace {

using nlohmann::json;

Result<Item> prepared_item(const DatasetSource& source, const json& row, std::int64_t line) {
  Item item;
  item.dataset = text_member(row, "dataset").value_or(source.name);
  const auto question = text_member(row, "question");
  if (!question || question->empty()) return row_error(source, line, "no text \"question\"");
  item.question = *question;
  item.id = text_member(row, "id").value_or(id_from_question(item.question));
  const auto answers = texts_member(row, "answers");
  if (!answers) return row_error(source, line, "\"answers\" is no list of texts");
  item.answers = *answers;
  item.type = row.contains("context") ? TaskType::open_book : TaskType::closed_book;
  if (source.task && *source.task != item.type) {
    return row_error(source, line,
                     source.task == TaskType::open_book ? "an open_book row needs a \"context\""
                                                        : "a closed_book row has no \"context\"");
  }
  if (item.type == TaskType::open_book) {
    const auto context = text_member(row, "context");
    if (!context || context->empty()) return row_error(source, line, "\"context\" is no text");
    item.context = *context;
    item.metric = Metric::squad_v2;
    const auto flag = row.find("is_unanswerable");
    if (flag != row.end() && !flag->is_boolean())
      return row_error(source, line, "\"is_unanswerable\" is neither true nor false");
    item.is_unanswerable = item.answers.empty() || (flag != row.end() && flag->get<bool>());
    if (item.is_unanswerable) item.answers.clear();
    return item;
  }
  if (item.answers.empty()) return row_error(source, line, "a closed-book row needs answers");
  item.metric = item.dataset == "triviaqa" ? Metric::triviaqa : Metric::nq_open;
  return item;
}

}  // namespace

Result<std::vector<Item>> read_prepared(const DatasetSource& source, std::string_view bytes) {
  std::vector<Item> items;
  Status read =
      for_each_json_line(source, bytes, [&](const json& row, std::int64_t line) -> Status {
        Result<Item> item = prepared_item(source, row, line);
        if (!item) return std::move(item).error();
        items.push_back(std::move(item).value());
        return ok;
      });
  if (!read) return std::move(read).error();
  return items;
}

}  // namespace promptsweep
