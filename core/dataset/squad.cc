// SPDX-License-Identifier: Apache-2.0
// SQuAD 1.1 and 2.0 JSON. A question is unanswerable when it is flagged is_impossible or its list
// of answers is empty. A version text "2...", "v2...", "1..." or "v1..." says which rule scores it;
// without one, a file whose questions carry the flag is 2.0.
#include <algorithm>

#include "dataset/json_rows.h"

namespace promptsweep {
namespace {

using nlohmann::json;

// nullptr: the object has no list of that name.
const json* list_at(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || !found->is_array() ? nullptr : &*found;
}

class SquadReader {
 public:
  SquadReader(const DatasetSource& source, Metric metric, const TakeItem& take)
      : source_(source), metric_(metric), take_(take) {}

  Status add(const json& question, const std::string& context) {
    ++count_;
    Item item;
    item.dataset = source_.name;
    item.type = TaskType::open_book;
    item.metric = metric_;
    item.context = context;
    const auto text = question.is_object() ? text_member(question, "question") : std::nullopt;
    if (!text || text->empty()) return problem("has no question");
    if (context.empty()) return problem("has no context");
    item.question = *text;
    const auto id = id_member(question, "id", item.question);
    if (!id) return problem("has an id that is no text");
    item.id = *id;
    if (Status taken = take_gold(question, item); !taken) return taken;
    return take_(item);
  }

 private:
  // Anything but a list of answers, or a flag that says so, must not pass for "unanswerable": that
  // would change what a right answer is.
  Status take_gold(const json& question, Item& item) {
    const auto flag = question.find("is_impossible");
    if (flag != question.end() && !flag->is_boolean())
      return problem("has an is_impossible that is neither true nor false");
    item.is_unanswerable = flag != question.end() && flag->get<bool>();
    if (item.is_unanswerable) return ok;
    const json* answers = list_at(question, "answers");
    if (answers == nullptr) return problem("has no list \"answers\"");
    for (const json& answer : *answers) {
      const auto gold = answer.is_object() ? text_member(answer, "text") : std::nullopt;
      if (!gold) return problem("has an answer without text");
      item.answers.push_back(*gold);
    }
    item.is_unanswerable = item.answers.empty();
    return ok;
  }

  Status problem(const std::string& text) {
    return Error{Code::invalid_input,
                 source_.path.string() + ": question " + std::to_string(count_) + " " + text};
  }

  const DatasetSource& source_;
  const Metric metric_;
  const TakeItem& take_;
  std::int64_t count_ = 0;
};

bool has_flag(const json& question) {
  return question.is_object() && question.contains("is_impossible");
}

Metric metric_of(const json& root, const std::vector<const json*>& paragraphs) {
  const auto version = root.find("version");
  if (version != root.end() && version->is_string()) {
    std::string_view text = version->get_ref<const std::string&>();
    if (text.starts_with('v')) text.remove_prefix(1);
    if (text.starts_with('2')) return Metric::squad_v2;
    if (text.starts_with('1')) return Metric::squad_v1;
  }
  for (const json* paragraph : paragraphs) {
    const json& questions = paragraph->at("qas");
    if (std::any_of(questions.begin(), questions.end(), &has_flag)) return Metric::squad_v2;
  }
  return Metric::squad_v1;
}

// Every paragraph of the file; each has a list of questions.
Result<std::vector<const json*>> paragraphs_of(const DatasetSource& source, const json& root) {
  const json* articles = list_at(root, "data");
  if (articles == nullptr)
    return row_error(source, 1, "no SQuAD file: it needs an object with a list \"data\"");
  std::vector<const json*> out;
  for (const json& article : *articles) {
    const auto where = source.path.string() + ": article " +
                       std::to_string(&article - &articles->front() + 1) + " ";
    const json* paragraphs = list_at(article, "paragraphs");
    if (paragraphs == nullptr)
      return Error{Code::invalid_input, where + "has no list \"paragraphs\""};
    for (const json& paragraph : *paragraphs) {
      if (list_at(paragraph, "qas") == nullptr)
        return Error{Code::invalid_input, where + "has a paragraph without a list \"qas\""};
      out.push_back(&paragraph);
    }
  }
  return out;
}

}  // namespace

Status read_squad(const DatasetSource& source, SourceFile& file, const TakeItem& take) {
  const Result<json> root = parse_whole(source, file);
  if (!root) return root.error();
  const Result<std::vector<const json*>> paragraphs = paragraphs_of(source, *root);
  if (!paragraphs) return paragraphs.error();
  SquadReader reader(source, metric_of(*root, *paragraphs), take);
  for (const json* paragraph : *paragraphs) {
    const std::string context = text_member(*paragraph, "context").value_or("");
    for (const json& question : paragraph->at("qas")) {
      if (Status added = reader.add(question, context); !added) return added;
    }
  }
  return ok;
}

}  // namespace promptsweep
