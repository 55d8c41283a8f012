// SPDX-License-Identifier: Apache-2.0
#include "store/exports.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "base/env.h"
#include "base/flat_index.h"
#include "store/arm_pages.h"
#include "store/csv.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

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
  std::uint32_t item_rank;
  std::uint32_t arm;  // index into the arms in row order
  std::uint32_t sample;
  std::uint32_t position;  // in its arm

  auto key() const { return std::tie(item_rank, arm, sample, position); }
};

// An item is known by its key within a task type: one data set may serve both.
std::string item_text(const RequestRow& row) {
  return std::string(to_string(row.type)) + row.item_key;
}

// All arms of a trial have the same items; where one has more, they follow in its order.
Result<std::vector<PlacedRequest>> place_requests(const std::vector<TrialArm>& arms) {
  // Ranks decide an order only, so two keys of one hash would do no more than stand together.
  FlatIndex ranks;
  std::uint32_t next_rank = 0;
  std::vector<PlacedRequest> out;
  for (std::uint32_t arm = 0; arm < arms.size(); ++arm) {
    Status read = arms[arm].store->for_each_request(
        [&](std::int64_t position, const RequestRow& row) -> Status {
          const auto known = ranks.insert(FlatIndex::hash_of(item_text(row)), next_rank);
          out.push_back({known ? *known : next_rank++, arm,
                         static_cast<std::uint32_t>(row.sample_index),
                         static_cast<std::uint32_t>(position)});
          return ok;
        });
    if (!read) return std::move(read).error();
  }
  std::sort(out.begin(), out.end(),
            [](const PlacedRequest& a, const PlacedRequest& b) { return a.key() < b.key(); });
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

std::vector<std::string> score_row(const TrialArm& arm, const Item& item,
                                   const std::optional<ItemScore>& score) {
  const ItemScore s = score.value_or(ItemScore());
  const auto measured = [&](double value) {
    return score ? csv_number(std::optional<double>(value)) : std::string();
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
          item_key(item),
          format_number(arm.temperature),
          std::string(to_string(item.type)),
          csv_number(s.unsupported_rate),
          csv_number(s.unsupported_rate_std)};
}

// An arm beside the list of items: what it has of each in turn.
class ItemWalk {
 public:
  explicit ItemWalk(ArmStore& store) : pages_(store) {}

  // False: the arm does not ask this item, or asks it later.
  Result<bool> take(const Item& item, const std::string& key, ItemResults& out) {
    out = {};
    while (true) {
      const Result<const ArmStore::StoredRequest*> next = pages_.at(position_);
      if (!next) return next.error();
      if (*next == nullptr) break;
      const RequestRow& request = (*next)->request;
      if (request.type != item.type || request.item_key != key) break;
      out.samples.push_back(**next);
      ++position_;
    }
    if (out.samples.empty()) return false;
    for (const ArmStore::StoredRequest& sample : out.samples) {
      if (!sample.accepted || is_missing_data(sample.accepted->result.outcome)) continue;
      if (is_behaviour(sample.accepted->result.outcome)) {
        out.as_wrong.push_back(wrong_answer(item));
      } else if (sample.accepted->score) {
        out.excluding.push_back(*sample.accepted->score);
        out.as_wrong.push_back(*sample.accepted->score);
      } else {
        ++unscored_;
      }
    }
    return true;
  }

  // After the last item.
  Status end() {
    const Result<const ArmStore::StoredRequest*> next = pages_.at(position_);
    if (!next) return next.error();
    if (*next != nullptr) {
      return Error{Code::data, "the arm asks " + (*next)->request.custom_id +
                                   ", which is not among the run's items in their order"};
    }
    if (unscored_ == 0) return ok;
    return Error{Code::state, std::to_string(unscored_) + " answers of the arm have no score yet"};
  }

 private:
  ArmPages pages_;
  std::int64_t position_ = 0;
  std::int64_t unscored_ = 0;
};

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
  std::vector<ArmPages> pages;
  for (const TrialArm& arm : arms) pages.emplace_back(*arm.store);
  for (const PlacedRequest& place : *placed) {
    if (!written) return std::move(written).error();
    const auto stored = pages[place.arm].at(place.position);
    if (!stored) return stored.error();
    if (*stored == nullptr) return Error{Code::data, "a request of an arm is gone"};
    written = writer->row(prediction_row(arms[place.arm], (*stored)->request, (*stored)->accepted));
  }
  if (!written) return std::move(written).error();
  return writer->commit();
}

Status for_each_item_result(
    ArmStore& store, const ItemSource& items,
    const std::function<Status(std::int64_t position, const Item&, const ItemResults&)>& visit) {
  ItemWalk walk(store);
  ItemResults results;
  Status visited = items.for_each([&](std::int64_t position, const Item& item) -> Status {
    const Result<bool> asked = walk.take(item, item_key(item), results);
    if (!asked) return asked.error();
    return *asked ? visit(position, item, results) : Status(ok);
  });
  return visited ? walk.end() : std::move(visited);
}

Result<std::string> export_item_scores(const std::filesystem::path& path,
                                       const std::vector<TrialArm>& unordered,
                                       const ItemSource& items, bool behaviour_counts_as_wrong) {
  const std::vector<TrialArm> arms = in_row_order(unordered);
  std::vector<ItemWalk> walks;
  for (const TrialArm& arm : arms) walks.emplace_back(*arm.store);
  Result<Writer> writer = Writer::create(path);
  if (!writer) return std::move(writer).error();
  Status written =
      writer->row({"abstain_rate", "abstain_rate_std", "condition", "em", "em_std", "f1", "f1_std",
                   "false_answer_rate", "false_answer_rate_std", "item_key", "temp", "type",
                   "unsupported_rate", "unsupported_rate_std"});
  if (!written) return std::move(written).error();
  ItemResults results;
  written = items.for_each([&](std::int64_t, const Item& item) -> Status {
    const std::string key = item_key(item);
    for (std::size_t arm = 0; arm < arms.size(); ++arm) {
      const Result<bool> asked = walks[arm].take(item, key, results);
      if (!asked) return asked.error();
      if (!*asked) continue;
      const auto& scores = behaviour_counts_as_wrong ? results.as_wrong : results.excluding;
      std::optional<ItemScore> mean;
      if (!scores.empty()) mean = mean_over_samples(item, scores);
      if (Status done = writer->row(score_row(arms[arm], item, mean)); !done) return done;
    }
    return ok;
  });
  for (ItemWalk& walk : walks) {
    if (written) written = walk.end();
  }
  if (!written) return std::move(written).error();
  return writer->commit();
}

}  // namespace promptsweep
