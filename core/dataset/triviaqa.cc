// SPDX-License-Identifier: Apache-2.0
// TriviaQA JSON, official layout. Gold: the data set's NormalizedAliases as they stand; beside them
// Value, Aliases and HumanAnswers, unique, in that order.
#include <algorithm>

#include "dataset/json_rows.h"

namespace promptsweep {
namespace {

using nlohmann::json;

void add_unique(std::vector<std::string>& list, const std::string& text) {
  if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end())
    list.push_back(text);
}

}  // namespace

Status read_triviaqa(const DatasetSource& source, SourceFile& file, const TakeItem& take) {
  const Result<json> root = parse_whole(source, file);
  if (!root) return root.error();
  if (!root->is_object() || !root->contains("Data") || !root->at("Data").is_array()) {
    return row_error(source, 1, "no TriviaQA file: it needs an object with a list \"Data\"");
  }
  std::int64_t count = 0;
  for (const json& row : root->at("Data")) {
    const std::string where = source.path.string() + ": question " + std::to_string(++count) + " ";
    const auto question = row.is_object() ? text_member(row, "Question") : std::nullopt;
    if (!question || question->empty())
      return Error{Code::invalid_input, where + "has no Question"};
    const auto answer = row.find("Answer");
    if (answer == row.end() || !answer->is_object())
      return Error{Code::invalid_input, where + "has no Answer"};
    const auto aliases = texts_member(*answer, "Aliases");
    const auto normalized = texts_member(*answer, "NormalizedAliases");
    const auto human = texts_member(*answer, "HumanAnswers");
    if (!aliases || !normalized || !human)
      return Error{Code::invalid_input, where + "has answers that are no list of texts"};
    Item item;
    item.dataset = source.name;
    item.type = TaskType::closed_book;
    item.metric = Metric::triviaqa;
    item.question = *question;
    const auto id = id_member(row, "QuestionId", item.question);
    if (!id) return Error{Code::invalid_input, where + "has a QuestionId that is no text"};
    item.id = *id;
    add_unique(item.answers, text_member(*answer, "Value").value_or(""));
    for (const std::string& text : *aliases) add_unique(item.answers, text);
    for (const std::string& text : *human) add_unique(item.answers, text);
    item.normalized_aliases = *normalized;
    item.human_answers = *human;
    if (item.answers.empty() && item.normalized_aliases.empty())
      return Error{Code::invalid_input, where + "has no answer"};
    if (Status taken = take(item); !taken) return taken;
  }
  return ok;
}

}  // namespace promptsweep
