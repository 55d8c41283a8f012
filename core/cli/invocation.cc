// SPDX-License-Identifier: Apache-2.0
#include "cli/invocation.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace promptsweep {
namespace {

using nlohmann::json;

// The prompts of a plan's current trials: file -> SHA-256.
std::map<std::string, std::string> prompts_of(const RunPlan& plan) {
  std::map<std::string, std::string> out;
  for (const TrialSpec& trial : plan.trials) {
    if (trial.superseded) continue;
    for (const ArmPair& pair : trial.pairs) {
      for (const std::string& id : {pair.control_arm_id, pair.treatment_arm_id}) {
        const ArmSpec* arm = find_arm(plan, id);
        if (arm != nullptr) out[arm->system_prompt_path] = arm->system_prompt_sha256;
      }
    }
  }
  return out;
}

std::string data_files(const SweepConfig& config) {
  if (config.datasets.empty()) return config.paths.prepared_dir.string();
  std::string out;
  for (const DatasetEntry& entry : config.datasets) {
    out += (out.empty() ? "" : ", ") + entry.path.string();
  }
  return out;
}

}  // namespace

std::string to_json(const Invocation& invocation) {
  return json{{"arguments", invocation.arguments},
              {"working_directory", invocation.working_directory.string()},
              {"config", invocation.config.string()}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Invocation> invocation_from_json(const std::string& text) {
  try {
    const json document = json::parse(text);
    Invocation out;
    out.arguments = document.at("arguments").get<std::vector<std::string>>();
    out.working_directory = document.at("working_directory").get<std::string>();
    out.config = document.at("config").get<std::string>();
    return out;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::vector<std::string> changed_inputs(const RunPlan& recorded, const SweepSetup& today) {
  const RunPlan& plan = today.planned.plan;
  std::vector<std::string> out;
  if (plan.config_sha256 != recorded.config_sha256) {
    out.push_back("the configuration " + today.config.file.string() + " says something else");
  }
  const std::map<std::string, std::string> before = prompts_of(recorded);
  for (const auto& [path, sha256] : prompts_of(plan)) {
    const auto old = before.find(path);
    if (old != before.end() && old->second != sha256) {
      out.push_back("the prompt " + path + " was edited");
    }
  }
  if (!recorded.arms.empty() && !plan.arms.empty() &&
      recorded.arms.front().instructions != plan.arms.front().instructions) {
    out.push_back("the task instructions " + today.config.closed_book_instructions.string() +
                  " or " + today.config.open_book_instructions.string() + " were edited");
  }
  if (plan.items_sha256 != recorded.items_sha256) {
    out.push_back("the data are not the same: " + data_files(today.config));
  }
  if (!out.empty()) return out;
  for (const ArmSpec& arm : plan.arms) {
    if (find_arm(recorded, arm.arm_id) != nullptr) continue;
    out.push_back("the backend's plugin or this program understands the settings differently now");
    break;
  }
  return out;
}

}  // namespace promptsweep
