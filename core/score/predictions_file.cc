// SPDX-License-Identifier: Apache-2.0
#include "score/predictions_file.h"

#include <map>
#include <nlohmann/json.hpp>

#include "base/env.h"
#include "score/metrics.h"

namespace promptsweep {
namespace {

using nlohmann::json;

Error bad(const std::filesystem::path& path, const std::string& text) {
  return Error{Code::invalid_input, path.string() + ": " + text};
}

Status add_line(std::map<std::string, std::string>& out, const std::filesystem::path& path,
                std::string_view line, std::int64_t number) {
  const json row = json::parse(line, nullptr, false);
  const std::string where = "line " + std::to_string(number) + " ";
  if (!row.is_object() || !row.contains("id") || !row["id"].is_string() ||
      !row.contains("prediction") || !row["prediction"].is_string()) {
    return bad(path, where + R"(is not {"id": text, "prediction": text})");
  }
  if (!out.emplace(row["id"], row["prediction"]).second)
    return bad(path, where + "repeats the id " + row["id"].get<std::string>());
  return ok;
}

Result<std::map<std::string, std::string>> read_predictions(const std::filesystem::path& path) {
  Result<std::string> text = read_file(path);
  if (!text) return Error{Code::invalid_input, text.error().text};
  std::map<std::string, std::string> out;
  const json whole = json::parse(*text, nullptr, false);
  if (whole.is_object() && !(whole.contains("id") && whole.contains("prediction"))) {
    for (const auto& [id, answer] : whole.items()) {
      if (!answer.is_string()) return bad(path, "the prediction of " + id + " is no text");
      out[id] = answer;
    }
    return out;
  }
  std::string_view rest = *text;
  for (std::int64_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (Status added = add_line(out, path, line, number); !added) return std::move(added).error();
  }
  return out;
}

MatchScore match_of(const Item& item, const std::string& answer) {
  switch (item.metric) {
    case Metric::squad_v2:
      return squad_match(answer, item.answers);
    case Metric::squad_v1:
      return squad_v1_match(answer, item.answers);
    case Metric::triviaqa:
      return triviaqa_match(answer, item);
    case Metric::nq_open:
      return nq_match(answer, item.answers);
  }
  return {};
}

struct Sum {
  double em = 0, f1 = 0;
  std::int64_t count = 0;

  void add(const MatchScore& score) {
    em += score.em;
    f1 += score.f1;
    ++count;
  }
  PredictionScores::Part percent() const {
    if (count == 0) return {0, 0, 0};
    return {100.0 * em / static_cast<double>(count), 100.0 * f1 / static_cast<double>(count),
            count};
  }
};

}  // namespace

Result<PredictionScores> score_predictions(const std::filesystem::path& predictions,
                                           const std::vector<Item>& items) {
  Result<std::map<std::string, std::string>> answers = read_predictions(predictions);
  if (!answers) return std::move(answers).error();
  if (items.empty()) return Error{Code::invalid_input, "the data set has no items"};
  PredictionScores out;
  out.metric = items.front().metric;
  const bool squad = out.metric == Metric::squad_v2 || out.metric == Metric::squad_v1;
  Sum all, has, none;
  for (const Item& item : items) {
    if (item.metric != out.metric)
      return Error{Code::invalid_input, "the data set mixes metrics; score its parts one by one"};
    const auto found = answers->find(item.id);
    MatchScore score;
    if (found == answers->end()) {
      ++out.missing;
      if (squad) continue;
    } else {
      score = match_of(item, found->second);
    }
    all.add(score);
    (item.is_unanswerable ? none : has).add(score);
    out.per_question.emplace_back(item.id, std::pair{score.em, score.f1});
  }
  out.unknown = static_cast<std::int64_t>(answers->size()) -
                (static_cast<std::int64_t>(items.size()) - out.missing);
  const PredictionScores::Part total = all.percent();
  out.exact = total.exact;
  out.f1 = total.f1;
  out.total = total.total;
  if (out.metric == Metric::squad_v2) {
    if (has.count > 0) out.has_answer = has.percent();
    if (none.count > 0) out.no_answer = none.percent();
  }
  return out;
}

std::string to_json(const PredictionScores& scores, bool per_question) {
  nlohmann::ordered_json out{{"metric", to_string(scores.metric)},
                             {"exact", scores.exact},
                             {"f1", scores.f1},
                             {"total", scores.total}};
  const auto add = [&](const char* prefix, const std::optional<PredictionScores::Part>& part) {
    if (!part) return;
    out[std::string(prefix) + "_exact"] = part->exact;
    out[std::string(prefix) + "_f1"] = part->f1;
    out[std::string(prefix) + "_total"] = part->total;
  };
  add("HasAns", scores.has_answer);
  add("NoAns", scores.no_answer);
  out["missing"] = scores.missing;
  out["unknown"] = scores.unknown;
  if (per_question) {
    out["per_question"] = json::object();
    for (const auto& [id, score] : scores.per_question)
      out["per_question"][id] = {score.first, score.second};
  }
  return out.dump(2) + "\n";
}

}  // namespace promptsweep
