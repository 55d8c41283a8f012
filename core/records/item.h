// SPDX-License-Identifier: Apache-2.0
// One question of a data set.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace promptsweep {

enum class TaskType { closed_book, open_book };
// "closed" and "open", as in ids and CSV columns.
std::string_view to_string(TaskType type);
std::optional<TaskType> task_type_from(std::string_view name);

// How an answer is compared with the gold answers (core/score).
enum class Metric { squad_v2, squad_v1, triviaqa, nq_open };
std::string_view to_string(Metric metric);
std::optional<Metric> metric_from(std::string_view name);

struct Item {
  std::string dataset;
  std::string id;
  TaskType type = TaskType::closed_book;
  Metric metric = Metric::nq_open;
  std::string question;
  std::string context;               // open-book only
  std::vector<std::string> answers;  // gold; empty for an unanswerable question
  // TriviaQA in its official layout: NormalizedAliases as they stand and HumanAnswers. Where they
  // are present they are the gold that its evaluation compares with.
  std::vector<std::string> normalized_aliases;
  std::vector<std::string> human_answers;
  bool is_unanswerable = false;

  bool operator==(const Item&) const = default;
};

// "dataset|id" with '%' and '|' inside either written %25 and %7C, so that splitting is exact.
std::string item_key(const Item& item);
// One id field escaped as in item_key.
std::string escape_id_field(std::string_view field);
// The inverse; splits an id into its unescaped fields.
std::vector<std::string> split_id(std::string_view id);

// One line of JSON (no newline) with every field above; the pinned form of an item.
std::string to_json(const Item& item);
std::optional<Item> item_from_json(std::string_view json);

}  // namespace promptsweep
