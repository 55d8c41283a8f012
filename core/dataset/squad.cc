// SPDX-License-Identifier: Apache-2.0
// SQuAD 1.1 and 2.0 JSON. A question is unanswerable when it is flagged is_impossible or has no
// answer; a file whose questions carry the flag, or whose version starts with v2, is 2.0.
#include "dataset/json_rows.h"

namespace promptsweep {
namespace {

using nlohmann::json;

const json& list_at(const json& object, const char* name) {
  static const json none = json::array();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() || !found->is_array() ? none : *found;
}

class SquadReader {
 public:
  SquadReader(const DatasetSource& source, Metric metric) : source_(source), metric_(metric) {}

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
    item.id = text_member(question, "id").value_or(id_from_question(item.question));
    for (const json& answer : list_at(question, "answers")) {
      const auto gold = answer.is_object() ? text_member(answer, "text") : std::nullopt;
      if (!gold) return problem("has an answer without text");
      item.answers.push_back(*gold);
    }
    const auto flag = question.find("is_impossible");
    item.is_unanswerable =
        item.answers.empty() || (flag != question.end() && flag->is_boolean() && flag->get<bool>());
    if (item.is_unanswerable) item.answers.clear();
    items_.push_back(std::move(item));
    return ok;
  }

  std::vector<Item> take() { return std::move(items_); }

 private:
  Status problem(const std::string& text) {
    return Error{Code::invalid_input,
                 source_.path.string() + ": question " + std::to_string(count_) + " " + text};
  }

  const DatasetSource& source_;
  const Metric metric_;
  std::int64_t count_ = 0;
  std::vector<Item> items_;
};

bool is_version_2(const json& root) {
  const auto version = root.find("version");
  if (version != root.end() && version->is_string()) {
    const auto& text = version->get_ref<const std::string&>();
    return text.starts_with("v2") || text.starts_with("2");
  }
  for (const json& article : list_at(root, "data")) {
    for (const json& paragraph : list_at(article, "paragraphs")) {
      for (const json& question : list_at(paragraph, "qas")) {
        if (question.is_object() && question.contains("is_impossible")) return true;
      }
    }
  }
  return false;
}

}  // namespace

Result<std::vector<Item>> read_squad(const DatasetSource& source, std::string_view bytes) {
  Result<json> root = parse_whole(source, bytes);
  if (!root) return std::move(root).error();
  if (!root->is_object() || !root->contains("data") || !root->at("data").is_array()) {
    return row_error(source, 1, "no SQuAD file: it needs an object with a list \"data\"");
  }
  SquadReader reader(source, is_version_2(*root) ? Metric::squad_v2 : Metric::squad_v1);
  for (const json& article : root->at("data")) {
    for (const json& paragraph : list_at(article, "paragraphs")) {
      const std::string context =
          paragraph.is_object() ? text_member(paragraph, "context").value_or("") : "";
      for (const json& question : list_at(paragraph, "qas")) {
        if (Status added = reader.add(question, context); !added) return std::move(added).error();
      }
    }
  }
  return reader.take();
}

}  // namespace promptsweep
