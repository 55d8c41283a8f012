// SPDX-License-Identifier: Apache-2.0
// NQ-open JSON lines: {"question": text, "answer": [texts]}.
#include "dataset/json_rows.h"

namespace promptsweep {

Status read_nq_open(const DatasetSource& source, SourceFile& file, const TakeItem& take) {
  return for_each_json_line(
      source, file, [&](const nlohmann::json& row, std::int64_t line) -> Status {
        Item item;
        item.dataset = source.name;
        item.type = TaskType::closed_book;
        item.metric = Metric::nq_open;
        const auto question = text_member(row, "question");
        if (!question || question->empty()) return row_error(source, line, "no text \"question\"");
        const auto answers = texts_member(row, row.contains("answer") ? "answer" : "answers");
        if (!answers || answers->empty())
          return row_error(source, line, "no list of texts \"answer\"");
        item.question = *question;
        item.answers = *answers;
        const auto id = id_member(row, "id", item.question);
        if (!id) return row_error(source, line, "\"id\" is no text; it may be left out");
        item.id = *id;
        return take(item);
      });
}

}  // namespace promptsweep
