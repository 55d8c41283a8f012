// SPDX-License-Identifier: Apache-2.0
#include "records/item.h"

#include <nlohmann/json.hpp>

namespace promptsweep {

using nlohmann::json;

std::string_view to_string(TaskType type) {
  return type == TaskType::closed_book ? "closed" : "open";
}

std::optional<TaskType> task_type_from(std::string_view name) {
  if (name == "closed" || name == "closed_book") return TaskType::closed_book;
  if (name == "open" || name == "open_book") return TaskType::open_book;
  return std::nullopt;
}

std::string_view to_string(Metric metric) {
  switch (metric) {
    case Metric::squad_v2:
      return "squad_v2";
    case Metric::squad_v1:
      return "squad_v1";
    case Metric::triviaqa:
      return "triviaqa";
    case Metric::nq_open:
      return "nq_open";
  }
  return "unknown";
}

std::optional<Metric> metric_from(std::string_view name) {
  for (Metric metric : {Metric::squad_v2, Metric::squad_v1, Metric::triviaqa, Metric::nq_open}) {
    if (to_string(metric) == name) return metric;
  }
  return std::nullopt;
}

std::string escape_id_field(std::string_view field) {
  std::string out;
  for (char c : field) {
    if (c == '%') {
      out += "%25";
    } else if (c == '|') {
      out += "%7C";
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> split_id(std::string_view id) {
  std::vector<std::string> fields(1);
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (id[i] == '|') {
      fields.emplace_back();
    } else if (id.substr(i, 3) == "%25") {
      fields.back() += '%';
      i += 2;
    } else if (id.substr(i, 3) == "%7C") {
      fields.back() += '|';
      i += 2;
    } else {
      fields.back() += id[i];
    }
  }
  return fields;
}

std::string item_key(const Item& item) {
  return escape_id_field(item.dataset) + "|" + escape_id_field(item.id);
}

std::string to_json(const Item& item) {
  return json{{"dataset", item.dataset},
              {"id", item.id},
              {"type", to_string(item.type)},
              {"metric", to_string(item.metric)},
              {"question", item.question},
              {"context", item.context},
              {"answers", item.answers},
              {"normalized_aliases", item.normalized_aliases},
              {"human_answers", item.human_answers},
              {"is_unanswerable", item.is_unanswerable}}
      .dump();
}

std::optional<Item> item_from_json(std::string_view text) {
  try {
    const json row = json::parse(text);
    const auto type = task_type_from(row.at("type").get_ref<const std::string&>());
    const auto metric = metric_from(row.at("metric").get_ref<const std::string&>());
    if (!type || !metric) return std::nullopt;
    Item item;
    item.dataset = row.at("dataset");
    item.id = row.at("id");
    item.type = *type;
    item.metric = *metric;
    item.question = row.at("question");
    item.context = row.at("context");
    item.answers = row.at("answers");
    item.normalized_aliases = row.at("normalized_aliases");
    item.human_answers = row.at("human_answers");
    item.is_unanswerable = row.at("is_unanswerable");
    return item;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace promptsweep
