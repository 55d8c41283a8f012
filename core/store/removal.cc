// SPDX-License-Identifier: Apache-2.0
#include "store/removal.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/env.h"

namespace promptsweep {
namespace {

constexpr std::string_view aside_prefix = ".removing-";

using Paths = std::vector<std::filesystem::path>;

Error cannot(const char* what, const std::filesystem::path& path, const std::error_code& failed) {
  return {Code::io, std::string("cannot ") + what + " " + path.string() + ": " + failed.message()};
}

// In byte order of their names.
Result<Paths> children(const std::filesystem::path& folder) {
  Paths out;
  std::error_code failed;
  if (!std::filesystem::is_directory(folder, failed)) return out;
  std::filesystem::directory_iterator walk(folder, failed);
  for (; !failed && walk != std::filesystem::directory_iterator(); walk.increment(failed)) {
    out.push_back(walk->path());
  }
  if (failed) return cannot("list", folder, failed);
  std::sort(out.begin(), out.end());
  return out;
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code failed;
  return std::filesystem::is_directory(std::filesystem::symlink_status(path, failed));
}

bool looks_like_a_trial(const std::filesystem::path& folder) {
  std::error_code failed;
  for (const char* part : {"trial_manifest.json", "arms", "results", "reports"}) {
    if (std::filesystem::exists(folder / part, failed)) return true;
  }
  return false;
}

class Unplanned {
 public:
  Unplanned(const std::filesystem::path& run_folder, const RunPlan& plan)
      : run_folder_(run_folder) {
    for (const TrialSpec& trial : plan.trials) slugs_.insert(trial.slug);
    for (const ArmSpec& arm : plan.arms) {
      const std::filesystem::path store(arm.store_path);
      arm_folders_.insert((run_folder / store.parent_path()).lexically_normal());
      holders_.insert(store.begin()->string());
    }
  }

  Result<Paths> find() {
    const Result<Paths> tops = children(run_folder_);
    if (!tops) return tops.error();
    for (const std::filesystem::path& top : *tops) {
      const std::string name = top.filename().string();
      if (name.starts_with(aside_prefix)) {
        out_.push_back(top);
      } else if (is_folder(top)) {
        if (Status looked = look_into(top, name); !looked) return std::move(looked).error();
      }
    }
    return std::move(out_);
  }

 private:
  Status look_into(const std::filesystem::path& top, const std::string& name) {
    if (name == "shared_controls") return add_unplanned_arms(top);
    if (slugs_.contains(name)) return add_unplanned_arms(top / "arms");
    if (!looks_like_a_trial(top)) return ok;
    if (!holders_.contains(name)) {
      out_.push_back(top);
      return ok;
    }
    const Result<Paths> parts = children(top);
    if (!parts) return parts.error();
    for (const std::filesystem::path& part : *parts) {
      if (part.filename() != "arms") out_.push_back(part);
    }
    return add_unplanned_arms(top / "arms");
  }

  Status add_unplanned_arms(const std::filesystem::path& folder) {
    const Result<Paths> arms = children(folder);
    if (!arms) return arms.error();
    for (const std::filesystem::path& arm : *arms) {
      if (is_folder(arm) && !arm_folders_.contains(arm.lexically_normal())) out_.push_back(arm);
    }
    return ok;
  }

  const std::filesystem::path& run_folder_;
  std::set<std::string> slugs_;
  std::set<std::filesystem::path> arm_folders_;
  std::set<std::string> holders_;  // folders of the run that hold the store of an arm
  Paths out_;
};

}  // namespace

RunPlan without_superseded(RunPlan plan) {
  std::erase_if(plan.trials, [](const TrialSpec& trial) { return trial.superseded; });
  std::set<std::string> used;
  for (const TrialSpec& trial : plan.trials) {
    for (const ArmPair& pair : trial.pairs) {
      used.insert({pair.control_arm_id, pair.treatment_arm_id});
    }
  }
  for (const Block& block : plan.blocks) used.insert(block.arm_id);
  std::erase_if(plan.arms, [&](const ArmSpec& arm) { return !used.contains(arm.arm_id); });
  return plan;
}

Result<std::vector<std::filesystem::path>> unplanned_paths(const std::filesystem::path& run_folder,
                                                           const RunPlan& plan) {
  return Unplanned(run_folder, plan).find();
}

Result<std::vector<std::filesystem::path>> removal_leftovers(const std::filesystem::path& folder) {
  Result<Paths> all = children(folder);
  if (!all) return all;
  std::erase_if(*all, [](const std::filesystem::path& path) {
    return !path.filename().string().starts_with(aside_prefix);
  });
  return all;
}

Status remove_aside(const std::filesystem::path& path) {
  std::filesystem::path aside = path;
  const std::string name = path.filename().string();
  std::error_code failed;
  if (!name.starts_with(aside_prefix)) {
    aside.replace_filename(std::string(aside_prefix) + name);
    for (int n = 2; std::filesystem::exists(std::filesystem::symlink_status(aside, failed)); ++n) {
      aside.replace_filename(std::string(aside_prefix) + name + "-" + std::to_string(n));
    }
    if (Status renamed = rename_durably(path, aside); !renamed) return renamed;
  }
  std::filesystem::remove_all(aside, failed);
  if (failed) return cannot("delete", aside, failed);
  return ok;
}

Result<std::uintmax_t> size_on_disk(const std::filesystem::path& path) {
  std::error_code failed;
  if (!is_folder(path)) {
    const std::uintmax_t size = std::filesystem::file_size(path, failed);
    if (failed) return cannot("look at", path, failed);
    return size;
  }
  std::uintmax_t sum = 0;
  std::filesystem::recursive_directory_iterator walk(path, failed);
  for (; !failed && walk != std::filesystem::recursive_directory_iterator();
       walk.increment(failed)) {
    std::error_code gone;  // a writer's temporary file
    if (walk->is_symlink(gone) || !walk->is_regular_file(gone)) continue;
    const std::uintmax_t size = walk->file_size(gone);
    if (!gone) sum += size;
  }
  if (failed) return cannot("look through", path, failed);
  return sum;
}

}  // namespace promptsweep
