// SPDX-License-Identifier: Apache-2.0
#include "store/plan_merge.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/unicode.h"

namespace promptsweep {
namespace {

bool stays_inside(const std::string& relative) {
  const std::filesystem::path path(relative);
  if (relative.empty() || path.is_absolute()) return false;
  for (const std::filesystem::path& part : path) {
    if (part == "..") return false;
  }
  return true;
}

Error refusal(std::string text) { return {Code::state, std::move(text)}; }

// Two folders on a file system that ignores case.
Status check_slugs(const RunPlan& plan) {
  std::map<std::string, std::string> by_folded;
  for (const TrialSpec& trial : plan.trials) {
    const auto [other, added] = by_folded.emplace(unicode_fold(trial.slug), trial.slug);
    if (added) continue;
    if (other->second == trial.slug) return refusal("the plan has two trials " + trial.slug);
    return refusal("the trials " + other->second + " and " + trial.slug +
                   " differ in upper and lower case only: on some systems their folders are one");
  }
  return ok;
}

// The recorded side where the plan has none; two different arms cannot be.
Status merge_side(std::string& fresh, const std::string& recorded, const std::string& slug) {
  if (fresh.empty()) fresh = recorded;
  if (recorded.empty() || fresh == recorded) return ok;
  return refusal("trial " + slug + " was recorded with arm " + recorded + ", the plan has arm " +
                 fresh + " in its place");
}

Result<TrialSpec> merge_trial(const TrialSpec& recorded, TrialSpec fresh) {
  std::map<double, ArmPair> pairs;
  for (const ArmPair& pair : fresh.pairs) pairs.emplace(pair.temperature, pair);
  for (const ArmPair& old : recorded.pairs) {
    ArmPair& pair = pairs.emplace(old.temperature, old).first->second;
    for (const auto side : {&ArmPair::control_arm_id, &ArmPair::treatment_arm_id}) {
      if (Status merged = merge_side(pair.*side, old.*side, fresh.slug); !merged) {
        return std::move(merged).error();
      }
    }
  }
  fresh.pairs.clear();
  for (auto& [temperature, pair] : pairs) fresh.pairs.push_back(std::move(pair));
  fresh.superseded = false;
  return fresh;
}

Result<ArmSpec> merge_arm(const ArmSpec& recorded, const ArmSpec& fresh) {
  if (recorded.identity_json == fresh.identity_json) return recorded;
  return refusal("arm " + fresh.arm_id + " was recorded as " + recorded.identity_json +
                 ", the plan has " + fresh.identity_json);
}

const TrialSpec* find_trial(const RunPlan& plan, const std::string& slug) {
  for (const TrialSpec& trial : plan.trials) {
    if (trial.slug == slug) return &trial;
  }
  return nullptr;
}

}  // namespace

bool same_settings(const TrialSpec& a, const TrialSpec& b) {
  return a.backend == b.backend && a.model == b.model && a.prompt_set == b.prompt_set &&
         a.top_p == b.top_p && a.top_k == b.top_k && a.max_new_tokens == b.max_new_tokens;
}

bool is_replaced(const TrialSpec& old, const RunPlan& recorded, const RunPlan& fresh) {
  return recorded.items_sha256 != fresh.items_sha256 ||
         std::any_of(fresh.trials.begin(), fresh.trials.end(),
                     [&](const TrialSpec& trial) { return same_settings(trial, old); });
}

Status check_plan(const RunPlan& plan) {
  std::set<std::string> arms, places;
  for (const ArmSpec& arm : plan.arms) {
    if (arm.arm_id.empty() || arm.arm_id == "pending") {
      return refusal("the plan has an arm without an id: it needs the plugin and the data first");
    }
    if (!stays_inside(arm.store_path)) {
      return refusal("arm " + arm.arm_id + ": its place \"" + arm.store_path +
                     "\" is not within the run folder");
    }
    if (!arms.insert(arm.arm_id).second)
      return refusal("the plan has arm " + arm.arm_id + " twice");
    if (!places.insert(arm.store_path).second) {
      return refusal("the plan has two arms at " + arm.store_path);
    }
    if (find_engine(plan, arm.engine_id) == nullptr) {
      return refusal("arm " + arm.arm_id + " names the unknown engine " + arm.engine_id);
    }
  }
  for (const TrialSpec& trial : plan.trials) {
    if (!stays_inside(trial.slug) || std::filesystem::path(trial.slug).has_parent_path()) {
      return refusal("the trial name \"" + trial.slug + "\" is no folder name");
    }
    for (const ArmPair& pair : trial.pairs) {
      for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
        if (id.empty() || arms.contains(id)) continue;
        return refusal("trial " + trial.slug + " names the unknown arm " + id);
      }
    }
  }
  for (const Block& block : plan.blocks) {
    if (arms.contains(block.arm_id)) continue;
    return refusal("a block names the unknown arm " + block.arm_id);
  }
  return check_slugs(plan);
}

Result<RunPlan> merge_plan(const RunPlan& recorded, const RunPlan& fresh, bool supersede) {
  if (!recorded.run_id.empty() && recorded.run_id != fresh.run_id) {
    return refusal("this folder holds the run " + recorded.run_id + ", not " + fresh.run_id);
  }
  RunPlan out = fresh;
  for (const EngineSpec& engine : recorded.engines) {
    if (find_engine(fresh, engine.engine_id) == nullptr) out.engines.push_back(engine);
  }
  for (ArmSpec& arm : out.arms) {
    const ArmSpec* known = find_arm(recorded, arm.arm_id);
    if (known == nullptr) continue;
    Result<ArmSpec> merged = merge_arm(*known, arm);
    if (!merged) return std::move(merged).error();
    arm = std::move(merged).value();
  }
  for (const ArmSpec& arm : recorded.arms) {
    if (find_arm(fresh, arm.arm_id) == nullptr) out.arms.push_back(arm);
  }
  for (TrialSpec& trial : out.trials) {
    const TrialSpec* known = find_trial(recorded, trial.slug);
    if (known == nullptr) continue;
    Result<TrialSpec> merged = merge_trial(*known, std::move(trial));
    if (!merged) return std::move(merged).error();
    trial = std::move(merged).value();
  }
  for (const TrialSpec& trial : recorded.trials) {
    if (find_trial(fresh, trial.slug) != nullptr) continue;
    out.trials.push_back(trial);
    if (supersede && is_replaced(trial, recorded, fresh)) out.trials.back().superseded = true;
  }
  if (Status distinct = check_slugs(out); !distinct) return std::move(distinct).error();
  return out;
}

}  // namespace promptsweep
