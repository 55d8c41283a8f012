// SPDX-License-Identifier: Apache-2.0
#include "score/predictions_file.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/env.h"
#include "records/decoding.h"
#include "score/metrics.h"

namespace promptsweep {
namespace {

using nlohmann::json;

Error bad(const std::filesystem::path& path, const std::string& text) {
  return Error{Code::invalid_input, path.string() + ": " + text};
}

using Predictions = std::map<std::string, std::string>;

Status add(Predictions& out, const std::filesystem::path& path, const std::string& where,
           const std::string& id, const json& answer) {
  if (!answer.is_string()) return bad(path, where + "the prediction of " + id + " is no text");
  if (!out.emplace(id, answer.get<std::string>()).second)
    return bad(path, where + "the id " + id + " occurs twice");
  return ok;
}

// {id: answer}. A repeated id would be lost in a parsed object, so the members are taken as the
// parser meets them. nullopt: the text is no JSON object of that layout.
Result<std::optional<Predictions>> read_object(const std::filesystem::path& path,
                                               const std::string& text) {
  std::set<std::string> seen;
  std::string twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key &&
        !seen.insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  const json whole = json::parse(text, watch, false);
  if (!whole.is_object() || (whole.contains("id") && whole.contains("prediction"))) {
    return std::optional<Predictions>();
  }
  if (!twice.empty()) return bad(path, "the id " + twice + " occurs twice");
  Predictions out;
  for (const auto& [id, answer] : whole.items()) {
    if (Status added = add(out, path, "", id, answer); !added) return std::move(added).error();
  }
  return std::optional<Predictions>(std::move(out));
}

Result<Predictions> read_lines(const std::filesystem::path& path, std::string_view rest) {
  Predictions out;
  for (std::int64_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = "line " + std::to_string(number) + ": ";
    const json row = json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("id") || !row["id"].is_string() ||
        !row.contains("prediction")) {
      return bad(path, where +
                           "the file is no JSON object {id: answer}, and this line is not "
                           R"({"id": text, "prediction": text})");
    }
    if (Status added = add(out, path, where, row["id"], row["prediction"]); !added)
      return std::move(added).error();
  }
  return out;
}

Result<Predictions> read_predictions(const std::filesystem::path& path) {
  Result<std::string> text = read_file(path);
  if (!text) return Error{Code::invalid_input, text.error().text};
  Result<std::optional<Predictions>> object = read_object(path, *text);
  if (!object) return std::move(object).error();
  if (*object) return std::move(**object);
  return read_lines(path, *text);
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
  Result<Predictions> answers = read_predictions(predictions);
  if (!answers) return std::move(answers).error();
  if (items.empty()) return Error{Code::invalid_input, "the data set has no items"};
  PredictionScores out;
  std::int64_t matched = 0;
  out.metric = items.front().metric;
  const bool leaves_out_missing = out.metric == Metric::squad_v2;
  Sum all, has, none;
  for (const Item& item : items) {
    if (item.metric != out.metric)
      return Error{Code::invalid_input, "the data set mixes metrics; score its parts one by one"};
    const auto found = answers->find(item.id);
    MatchScore score;
    if (found == answers->end()) {
      ++out.missing;
      if (leaves_out_missing) continue;
    } else {
      ++matched;
      score = official_match(item, found->second);
    }
    all.add(score);
    (item.is_unanswerable ? none : has).add(score);
    out.per_question.emplace_back(item.id, std::pair{score.em, score.f1});
  }
  out.unknown = static_cast<std::int64_t>(answers->size()) - matched;
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

std::string to_text(const PredictionScores& scores) {
  std::string out;
  const auto row = [&](const std::string& name, const std::string& value) {
    out += name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + value + "\n";
  };
  const auto part = [&](const std::string& prefix, const PredictionScores::Part& one) {
    row(prefix + "exact", format_number(one.exact));
    row(prefix + "f1", format_number(one.f1));
    row(prefix + "total", std::to_string(one.total));
  };
  row("metric", std::string(to_string(scores.metric)));
  part("", {scores.exact, scores.f1, scores.total});
  if (scores.has_answer) part("HasAns_", *scores.has_answer);
  if (scores.no_answer) part("NoAns_", *scores.no_answer);
  if (scores.missing > 0) {
    row("missing",
        std::to_string(scores.missing) +
            (scores.metric == Metric::squad_v2 ? " (left out of the totals)" : " (each scored 0)"));
  }
  if (scores.unknown > 0) row("unknown", std::to_string(scores.unknown) + " (no such question)");
  return out;
}

}  // namespace promptsweep
