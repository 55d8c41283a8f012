// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "analysis/trial_data.h"
#include "base/digest.h"
#include "store/arm_store.h"
#include "store/exports.h"
#include "store/run_store.h"

namespace promptsweep {
namespace {

using ArmPointer = std::shared_ptr<const ArmData>;

constexpr std::size_t most_datasets = std::numeric_limits<std::uint16_t>::max();

// Analysis tells items apart by data set and kind; the rest stays in the store.
Result<std::shared_ptr<const ItemTable>> read_table(const ItemSource& items, bool with_keys) {
  auto table = std::make_shared<ItemTable>();
  table->items.reserve(static_cast<std::size_t>(items.size()));
  std::map<std::string, std::uint16_t> numbers;
  Status read = items.for_each([&](std::int64_t, const Item& item) -> Status {
    const auto [number, is_new] =
        numbers.emplace(item.dataset, static_cast<std::uint16_t>(table->datasets.size()));
    if (is_new) {
      if (table->datasets.size() == most_datasets)
        return Error{Code::unsupported, "a run has more than 65535 data sets"};
      table->datasets.push_back(item.dataset);
    }
    if (with_keys) table->keys.push_back(content_seed(item_key(item)));
    table->items.push_back(
        {number->second, item.type == TaskType::open_book, item.is_unanswerable});
    return ok;
  });
  if (!read) return std::move(read).error();
  return std::shared_ptr<const ItemTable>(std::move(table));
}

}  // namespace

struct TrialLoader::State {
  RunStore& run;
  const RunPlan& plan;
  AnalysisOptions options;
  LoadFor purpose;
  std::map<std::string, ArmPointer> arms;                // read, and needed by a later trial
  std::map<std::string, int> uses;                       // by trials still to be loaded
  std::map<std::string, std::optional<ArmUsage>> usage;  // of arms that were read
  std::map<std::string, std::weak_ptr<const ItemTable>> tables;  // by hash of the items

  Result<ArmPointer> read(const ArmSpec& spec);
  Result<std::shared_ptr<const ItemTable>> table_of(const ItemSource& items,
                                                    const std::string& arm_id);
  Status read_results(ArmStore& store, const ItemSource& items, ArmData& arm) const;
};

TrialLoader::TrialLoader(RunStore& run, const RunPlan& plan, const AnalysisOptions& options,
                         LoadFor purpose)
    : state_(new State{run, plan, options, purpose, {}, {}, {}, {}}) {
  for (const TrialSpec& trial : plan.trials) {
    for (const ArmPair& pair : trial.pairs) {
      ++state_->uses[pair.control_arm_id];
      ++state_->uses[pair.treatment_arm_id];
    }
  }
}

TrialLoader::~TrialLoader() = default;

Result<std::shared_ptr<const ItemTable>> TrialLoader::State::table_of(const ItemSource& items,
                                                                      const std::string& arm_id) {
  const Result<std::string> hash = run.items_sha256_of(arm_id);
  if (!hash) return hash.error();
  if (auto known = tables[*hash].lock()) return known;
  Result<std::shared_ptr<const ItemTable>> table =
      read_table(items, purpose == LoadFor::comparison);
  if (table) tables[*hash] = *table;
  return table;
}

Status TrialLoader::State::read_results(ArmStore& store, const ItemSource& items,
                                        ArmData& arm) const {
  const bool as_wrong = options.behaviour_outcomes == BehaviourOutcomes::score_as_wrong;
  return for_each_item_result(
      store, items, [&](std::int64_t position, const Item&, const ItemResults& results) -> Status {
        const auto at = static_cast<std::size_t>(position);
        for (const ArmStore::StoredRequest& sample : results.samples) {
          if (!sample.accepted) {
            arm.add_sample(at, Outcome::missing);
            continue;
          }
          const ResultRow& result = sample.accepted->result;
          arm.add_sample(at, result.outcome);
          arm.usage.add(result, sample.accepted->attempt - 1);
          if (result.seed_honoured) {
            ++(*result.seed_honoured ? arm.seed_honoured : arm.seed_not_honoured);
          }
        }
        const Result<ItemSums> excluding = ItemSums::of(results.excluding);
        if (!excluding) return excluding.error();
        const Result<ItemSums> wrong = ItemSums::of(results.as_wrong);
        if (!wrong) return wrong.error();
        arm.cells[at].primary = as_wrong ? *wrong : *excluding;
        arm.cells[at].other = as_wrong ? *excluding : *wrong;
        return ok;
      });
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
  const Result<std::unique_ptr<ItemSource>> items = run.items_of(spec.arm_id);
  if (!items) return items.error();
  Result<std::shared_ptr<const ItemTable>> table = table_of(**items, spec.arm_id);
  if (!table) return std::move(table).error();
  arm->items = *std::move(table);
  arm->cells.resize(arm->items->items.size());
  Status results = read_results(**store, **items, *arm);
  // Answers that are not scored yet count as not given where runs are compared as they stand.
  const bool unscored = !results && results.error().code == Code::state;
  if (!results && !(unscored && purpose == LoadFor::comparison)) return std::move(results).error();
  return ArmPointer(std::move(arm));
}

Result<ArmPointer> TrialLoader::load_arm(const ArmSpec& arm) {
  if (const auto found = state_->arms.find(arm.arm_id); found != state_->arms.end()) {
    return found->second;
  }
  Result<ArmPointer> read = state_->read(arm);
  if (!read) return std::move(read).error().in("arm " + arm.arm_id);
  state_->usage[arm.arm_id] =
      (*read)->items ? std::optional<ArmUsage>((*read)->usage) : std::nullopt;
  if (state_->uses[arm.arm_id] > 0) state_->arms[arm.arm_id] = *read;
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
      if (--state_->uses[arm_id] <= 0) state_->arms.erase(arm_id);
      return ok;
    };
    for (Status status :
         {load(pair.control_arm_id, data.control), load(pair.treatment_arm_id, data.treatment)}) {
      if (!status) return std::move(status).error().in("trial " + trial.slug);
    }
    if (data.control && data.treatment && data.control->items && data.treatment->items &&
        data.control->items != data.treatment->items) {
      return Error{Code::data, "trial " + trial.slug + ": its arms ask different items"};
    }
    out.pairs.push_back(std::move(data));
  }
  return out;
}

Result<std::vector<ArmUsage>> TrialLoader::usage() {
  std::vector<ArmUsage> out;
  for (const ArmSpec& spec : state_->plan.arms) {
    if (!state_->usage.contains(spec.arm_id)) {
      const Result<ArmPointer> arm = load_arm(spec);
      if (!arm) return arm.error();
    }
    if (const auto& usage = state_->usage.at(spec.arm_id)) out.push_back(*usage);
  }
  return out;
}

}  // namespace promptsweep
