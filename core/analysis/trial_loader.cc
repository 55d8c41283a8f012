// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <utility>

#include "analysis/trial_data.h"
#include "store/arm_store.h"
#include "store/exports.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

using ArmPointer = std::shared_ptr<const ArmData>;

// A data set may be asked open-book and closed-book: the key alone does not name an item.
using ItemId = std::pair<std::string, TaskType>;

// One tally per item in the order of the arm's requests, every sample expected and none answered.
std::vector<ItemTally> expected_items(const std::vector<RequestRow>& requests,
                                      const std::vector<Item>& items,
                                      std::map<ItemId, std::size_t>& at) {
  std::map<ItemId, const Item*> by_id;
  for (const Item& item : items) by_id[{item_key(item), item.type}] = &item;
  std::vector<ItemTally> out;
  for (const RequestRow& request : requests) {
    const ItemId id{request.item_key, request.type};
    const auto [entry, fresh] = at.emplace(id, out.size());
    if (fresh) {
      ItemTally tally;
      tally.item_key = request.item_key;
      tally.type = request.type;
      if (const auto item = by_id.find(id); item != by_id.end()) {
        tally.dataset = item->second->dataset;
        tally.is_unanswerable = item->second->is_unanswerable;
      }
      tally.outcomes = {{Outcome::missing, 0}};
      out.push_back(std::move(tally));
    }
    ++out[entry->second].outcomes[0].second;
  }
  return out;
}

// Moves one sample from missing to what came back.
void count(ItemTally& tally, Outcome outcome) {
  for (auto& [known, n] : tally.outcomes) {
    if (known == Outcome::missing) --n;
  }
  for (auto& [known, n] : tally.outcomes) {
    if (known == outcome) {
      ++n;
      return;
    }
  }
  tally.outcomes.emplace_back(outcome, 1);
}

void tidy(ItemTally& tally) {
  std::erase_if(tally.outcomes, [](const auto& entry) { return entry.second == 0; });
  std::sort(tally.outcomes.begin(), tally.outcomes.end());
}

}  // namespace

struct TrialLoader::State {
  RunStore& run;
  const RunPlan& plan;
  AnalysisOptions options;
  Unscored unscored;
  std::map<std::string, ArmPointer> arms;

  Result<ArmPointer> read(const ArmSpec& spec);
  Status read_results(ArmStore& store, const std::vector<Item>& items, ArmData& arm);
};

TrialLoader::TrialLoader(RunStore& run, const RunPlan& plan, const AnalysisOptions& options,
                         Unscored unscored)
    : state_(new State{run, plan, options, unscored, {}}) {}

TrialLoader::~TrialLoader() = default;

Status TrialLoader::State::read_results(ArmStore& store, const std::vector<Item>& items,
                                        ArmData& arm) {
  Result<std::vector<RequestRow>> requests = store.requests();
  if (!requests) return std::move(requests).error();
  std::map<ItemId, std::size_t> at;
  arm.items = expected_items(*requests, items, at);
  Status visited = store.for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
    const auto found = at.find({row.request.item_key, row.request.type});
    if (found == at.end()) {
      return Error{Code::data, "a result of an item that the arm does not ask"};
    }
    count(arm.items[found->second], row.result.outcome);
    arm.usage.add(row.result, row.attempt - 1);
    if (row.result.seed_honoured) {
      ++(*row.result.seed_honoured ? arm.seed_honoured : arm.seed_not_honoured);
    }
    return ok;
  });
  for (ItemTally& tally : arm.items) tidy(tally);
  return visited;
}

Result<ArmPointer> TrialLoader::State::read(const ArmSpec& spec) {
  auto arm = std::make_shared<ArmData>();
  arm->spec = spec;
  arm->usage.arm_id = spec.arm_id;
  Result<std::unique_ptr<ArmStore>> store = run.open_arm_read_only(spec);
  if (!store) {
    if (store.error().code == Code::not_found) return ArmPointer(std::move(arm));
    return std::move(store).error();
  }
  Result<ArmProgress> progress = (*store)->progress();
  if (!progress) return std::move(progress).error();
  arm->complete = progress->expected > 0 && progress->complete();
  Result<std::string> identity = (*store)->engine_identity();
  if (!identity) return std::move(identity).error();
  arm->engine_identity = *std::move(identity);
  const Result<std::vector<Item>> items = run.items_of(spec.arm_id);
  if (!items) return items.error();
  if (Status read = read_results(**store, *items, *arm); !read) return std::move(read).error();

  const bool as_wrong = options.behaviour_outcomes == BehaviourOutcomes::score_as_wrong;
  Result<std::vector<ItemScore>> primary = item_scores(**store, *items, as_wrong, unscored);
  if (!primary) return std::move(primary).error();
  Result<std::vector<ItemScore>> other = item_scores(**store, *items, !as_wrong, unscored);
  if (!other) return std::move(other).error();
  arm->scores = *std::move(primary);
  arm->scores_other = *std::move(other);
  return ArmPointer(std::move(arm));
}

Result<ArmPointer> TrialLoader::load_arm(const ArmSpec& arm) {
  if (const auto found = state_->arms.find(arm.arm_id); found != state_->arms.end()) {
    return found->second;
  }
  Result<ArmPointer> read = state_->read(arm);
  if (!read) return std::move(read).error().in("arm " + arm.arm_id);
  state_->arms[arm.arm_id] = *read;
  return read;
}

Result<TrialData> TrialLoader::load(const TrialSpec& trial) {
  TrialData out;
  out.run_id = state_->plan.run_id;
  out.trial = trial;
  out.order = state_->plan.order;
  out.items_sha256 = state_->plan.items_sha256;
  if (const EngineSpec* engine = find_engine(state_->plan, trial.engine_id)) {
    out.isolation = engine->isolation;
    out.options_json = engine->options_json;
  }
  for (const ArmPair& pair : trial.pairs) {
    PairData data;
    data.temperature = pair.temperature;
    const auto load = [&](const std::string& arm_id, ArmPointer& into) -> Status {
      if (arm_id.empty()) return ok;
      const ArmSpec* spec = find_arm(state_->plan, arm_id);
      if (spec == nullptr) return Error{Code::data, "the plan has no arm " + arm_id};
      Result<ArmPointer> arm = load_arm(*spec);
      if (!arm) return std::move(arm).error();
      into = *std::move(arm);
      return ok;
    };
    for (Status status :
         {load(pair.control_arm_id, data.control), load(pair.treatment_arm_id, data.treatment)}) {
      if (!status) return std::move(status).error().in("trial " + trial.slug);
    }
    out.pairs.push_back(std::move(data));
  }
  return out;
}

Result<std::vector<ArmUsage>> TrialLoader::usage() {
  std::vector<ArmUsage> out;
  for (const ArmSpec& spec : state_->plan.arms) {
    Result<ArmPointer> arm = load_arm(spec);
    if (!arm) return std::move(arm).error();
    if (!(*arm)->items.empty()) out.push_back((*arm)->usage);
  }
  return out;
}

}  // namespace promptsweep
