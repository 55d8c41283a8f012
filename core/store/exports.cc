// SPDX-License-Identifier: Apache-2.0
#include "store/exports.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "base/env.h"
#include "store/csv.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

// An item is known by its key within a task type: one data set may serve both.
using ItemId = std::pair<std::string, TaskType>;

struct Writer {
  AtomicFile file;
  std::filesystem::path path;

  static Result<Writer> create(const std::filesystem::path& path) {
    if (Status open = check_not_sealed(path); !open) return std::move(open).error();
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file) return std::move(file).error();
    return Writer{std::move(file).value(), path};
  }
  Status row(const std::vector<std::string>& fields) { return file.append(csv_row(fields)); }
  Result<std::string> commit() {
    if (Status done = file.commit(); !done) return std::move(done).error();
    return sha256_hex_of_file(path);
  }
};

std::vector<TrialArm> in_row_order(std::vector<TrialArm> arms) {
  std::stable_sort(arms.begin(), arms.end(), [](const TrialArm& a, const TrialArm& b) {
    return std::tie(a.condition, a.temperature) < std::tie(b.condition, b.temperature);
  });
  return arms;
}

std::string three_decimals(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return "";
  char text[400];  // the longest double has 309 digits before the point
  const auto end = std::to_chars(text, text + sizeof text, *value, std::chars_format::fixed, 3).ptr;
  return {text, end};
}

// --- predictions

// One expected request with its place among the rows.
struct PlacedRequest {
  std::size_t item_rank;
  std::size_t arm;  // index into the arms in row order
  RequestRow request;

  auto key() const { return std::tie(item_rank, arm, request.sample_index); }
};

// All arms of a trial have the same items; where one has more, they follow in its order.
Result<std::vector<PlacedRequest>> place_requests(const std::vector<TrialArm>& arms) {
  std::map<ItemId, std::size_t> ranks;
  std::vector<PlacedRequest> out;
  for (std::size_t arm = 0; arm < arms.size(); ++arm) {
    Result<std::vector<RequestRow>> rows = arms[arm].store->requests();
    if (!rows) return std::move(rows).error();
    for (RequestRow& row : *rows) {
      const std::size_t rank =
          ranks.emplace(ItemId{row.item_key, row.type}, ranks.size()).first->second;
      out.push_back({rank, arm, std::move(row)});
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const PlacedRequest& a, const PlacedRequest& b) {
    return a.key() < b.key();
  });
  return out;
}

std::vector<std::string> prediction_row(const TrialArm& arm, const RequestRow& request,
                                        const std::optional<ArmStore::AcceptedResult>& accepted) {
  std::vector<std::string> id = split_id(request.item_key);
  id.resize(2);
  std::vector<std::string> row{request.custom_id,
                               id[0],
                               id[1],
                               std::string(to_string(arm.condition)),
                               format_number(arm.temperature),
                               std::to_string(request.sample_index),
                               std::string(to_string(request.type))};
  if (!accepted) {
    row.resize(13);
    row.insert(row.end(), {std::string(to_string(Outcome::missing)), "", "", ""});
  } else {
    const ResultRow& result = accepted->result;
    std::optional<std::int64_t> total;
    if (result.prompt_tokens && result.completion_tokens) {
      total = *result.prompt_tokens + *result.completion_tokens;
    }
    row.insert(row.end(), {result.remote_id, result.finish_reason, result.text,
                           csv_number(result.prompt_tokens), csv_number(result.completion_tokens),
                           csv_number(total), std::string(to_string(result.outcome)),
                           std::to_string(accepted->attempt), result.cached ? "true" : "false",
                           three_decimals(result.latency_ms)});
  }
  row.push_back(request.request_id);
  return row;
}

// --- scores

bool metric_has_f1(const Item& item) {
  return item.type == TaskType::open_book || item.metric == Metric::triviaqa;
}

Score wrong_answer(const Item& item) {
  Score score;
  if (metric_has_f1(item)) score.f1 = 0;
  if (item.is_unanswerable) score.false_answer = 1;
  return score;
}

ItemId id_of(const Item& item) { return {item_key(item), item.type}; }

std::vector<std::string> score_row(const TrialArm& arm, const ItemId& id, const ItemScore* score) {
  const ItemScore none;
  const ItemScore& s = score != nullptr ? *score : none;
  const auto measured = [&](double value) {
    return score != nullptr ? csv_number(std::optional<double>(value)) : std::string();
  };
  return {measured(s.abstain_rate),
          csv_number(s.abstain_rate_std),
          std::string(to_string(arm.condition)),
          measured(s.em),
          csv_number(s.em_std),
          csv_number(s.f1),
          csv_number(s.f1_std),
          csv_number(s.false_answer_rate),
          csv_number(s.false_answer_rate_std),
          id.first,
          format_number(arm.temperature),
          std::string(to_string(id.second)),
          csv_number(s.unsupported_rate),
          csv_number(s.unsupported_rate_std)};
}

struct ArmScores {
  std::set<ItemId> expected;
  std::map<ItemId, ItemScore> scored;
};

Result<ArmScores> read_arm_scores(ArmStore& store, const std::vector<Item>& items,
                                  bool behaviour_counts_as_wrong) {
  ArmScores out;
  const Result<std::vector<RequestRow>> requests = store.requests();
  if (!requests) return requests.error();
  for (const RequestRow& row : *requests) out.expected.emplace(row.item_key, row.type);
  Result<std::vector<ItemScore>> scores = item_scores(store, items, behaviour_counts_as_wrong);
  if (!scores) return std::move(scores).error();
  for (ItemScore& score : *scores) {
    ItemId id{score.item_key, score.type};
    out.scored.emplace(std::move(id), std::move(score));
  }
  return out;
}

}  // namespace

Result<std::string> export_predictions(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& unordered) {
  const std::vector<TrialArm> arms = in_row_order(unordered);
  const Result<std::vector<PlacedRequest>> placed = place_requests(arms);
  if (!placed) return placed.error();
  Result<Writer> writer = Writer::create(path);
  if (!writer) return std::move(writer).error();
  Status written = writer->row(
      {"custom_id", "dataset", "item_id", "condition", "temp", "sample_index", "type", "request_id",
       "finish_reason", "response_text", "prompt_tokens", "completion_tokens", "total_tokens",
       "status", "attempt", "cached", "latency_ms", "request_key"});
  for (const PlacedRequest& place : *placed) {
    if (!written) return std::move(written).error();
    const TrialArm& arm = arms[place.arm];
    const auto accepted = arm.store->accepted(place.request.request_id);
    if (!accepted) return accepted.error();
    written = writer->row(prediction_row(arm, place.request, *accepted));
  }
  if (!written) return std::move(written).error();
  return writer->commit();
}

Result<std::vector<ItemScore>> item_scores(ArmStore& store, const std::vector<Item>& items,
                                           bool behaviour_counts_as_wrong, Unscored unscored) {
  std::map<ItemId, std::size_t> positions;
  for (const Item& item : items) positions.emplace(id_of(item), positions.size());
  std::vector<std::vector<Score>> samples(items.size());
  std::int64_t without_score = 0;
  Status read = store.for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
    if (is_missing_data(row.result.outcome)) return ok;
    const auto found = positions.find({row.request.item_key, row.request.type});
    if (found == positions.end()) {
      return Error{Code::data, "the store has an answer to " + row.request.custom_id +
                                   ", which is not among the run's items"};
    }
    std::vector<Score>& of_item = samples[found->second];
    if (is_behaviour(row.result.outcome)) {
      if (behaviour_counts_as_wrong) of_item.push_back(wrong_answer(items[found->second]));
    } else if (row.score) {
      of_item.push_back(*row.score);
    } else {
      ++without_score;
    }
    return ok;
  });
  if (!read) return std::move(read).error();
  if (without_score > 0 && unscored == Unscored::is_an_error) {
    return Error{Code::state,
                 std::to_string(without_score) + " answers of the arm have no score yet"};
  }
  std::vector<ItemScore> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!samples[i].empty()) out.push_back(mean_over_samples(items[i], samples[i]));
  }
  return out;
}

Result<std::string> export_item_scores(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& unordered,
                                       const std::vector<Item>& items,
                                       bool behaviour_counts_as_wrong) {
  const std::vector<TrialArm> arms = in_row_order(unordered);
  std::vector<ArmScores> scores;
  for (const TrialArm& arm : arms) {
    Result<ArmScores> read = read_arm_scores(*arm.store, items, behaviour_counts_as_wrong);
    if (!read) return std::move(read).error();
    scores.push_back(std::move(read).value());
  }
  Result<Writer> writer = Writer::create(path);
  if (!writer) return std::move(writer).error();
  Status written =
      writer->row({"abstain_rate", "abstain_rate_std", "condition", "em", "em_std", "f1", "f1_std",
                   "false_answer_rate", "false_answer_rate_std", "item_key", "temp", "type",
                   "unsupported_rate", "unsupported_rate_std"});
  for (const Item& item : items) {
    const ItemId id = id_of(item);
    for (std::size_t arm = 0; arm < arms.size(); ++arm) {
      if (!written) return std::move(written).error();
      if (!scores[arm].expected.contains(id)) continue;
      const auto found = scores[arm].scored.find(id);
      written = writer->row(
          score_row(arms[arm], id, found == scores[arm].scored.end() ? nullptr : &found->second));
    }
  }
  if (!written) return std::move(written).error();
  return writer->commit();
}

}  // namespace promptsweep
