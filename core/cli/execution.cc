// SPDX-License-Identifier: Apache-2.0
#include "cli/execution.h"

#include <algorithm>
#include <thread>

#include "backend/machine.h"

namespace promptsweep {

namespace po = boost::program_options;

namespace {

constexpr std::int64_t least_retry_budget = 100;

EngineBudget machine_budget(const SweepConfig::Resources& wish) {
  const MemoryBudget memory =
      memory_budget(machine_memory(), {wish.ram_gb, wish.vram_gb, wish.reserve_gb});
  EngineBudget budget;
  // What nobody can tell may hold one engine and no second.
  budget.ram_bytes = memory.ram_bytes.value_or(0);
  budget.vram_bytes = memory.vram_bytes.value_or(0);
  budget.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return budget;
}

std::optional<EngineNeed> need_of(const PluginInfo& plugin, const std::string& options_json) {
  if (plugin.facts.remote) return EngineNeed{};
  const Result<std::optional<ResourceNeed>> need = estimate_resources(plugin, options_json);
  if (!need || !*need) return std::nullopt;
  // What computes on a GPU hardly keeps the cores busy.
  const int cores = (*need)->vram_bytes > 0 ? 0 : cores_used(plugin, options_json);
  return EngineNeed{(*need)->ram_bytes, (*need)->vram_bytes, cores};
}

void check_reuse(const std::string& name) {
  if (!reuse_from(name))
    throw po::error(
        "--reuse: "
        " + name + "
        " is not one of none, controls, all");
}

std::int64_t default_retry_budget(const RunPlan& plan) {
  std::int64_t requests = 0;
  for (const ArmSpec& arm : plan.arms) requests += arm.request_count;
  return std::max(least_retry_budget, requests / 10);
}

}  // namespace

po::options_description execution_options() {
  po::options_description options("Jobs and machines");
  options.add_options()  //
      ("max_concurrent_jobs", po::value<int>()->default_value(4),
       "jobs offered to a backend at once")  //
      ("max_parallel_trials", po::value<int>(),
       "models loaded at the same time at most; the trials of one model always share it "
       "(default: as many as fit into memory and cores)")             //
      ("lines_per_part", po::value<int>(), "requests a job at most")  //
      ("parts_per_dataset", po::value<int>(),
       "batch services: jobs that an arm's questions of one kind are cut into")  //
      ("reuse", po::value<std::string>()->notifier(&check_reuse)->default_value("none"),
       "take answers of earlier runs: none, controls (of control arms), all")  //
      ("accept_engine_change",
       "start arms again that another engine (build, model file) answered; their answers are kept "
       "aside");
  return options;
}

ExecuteOptions execution_from(const ParsedArguments& arguments, const SweepSetup& setup) {
  ExecuteOptions options;
  const auto whole = [&](const char* name) -> std::optional<int> {
    if (!arguments.has(name)) return std::nullopt;
    return arguments.get<int>(name);
  };
  options.max_concurrent_jobs = whole("max_concurrent_jobs").value_or(4);
  options.lines_per_part = whole("lines_per_part");
  if (!options.lines_per_part) options.lines_per_part = setup.config.lines_per_part;
  options.parts_per_dataset = whole("parts_per_dataset");
  options.retries = setup.config.retries;
  options.retry_budget =
      setup.config.retry_budget.value_or(default_retry_budget(setup.planned.plan));
  if (setup.config.cache.enabled) options.cache_path = setup.config.cache.path;
  if (arguments.has("reuse"))
    options.reuse = reuse_from(arguments.get<std::string>("reuse")).value_or(Reuse::none);
  options.accept_engine_change = arguments.has("accept_engine_change");
  options.budget = machine_budget(setup.config.resources);
  options.budget.engines = whole("max_parallel_trials").value_or(0);

  options.open = [&setup](const EngineSpec& engine,
                          BackendServices services) -> Result<std::unique_ptr<Backend>> {
    OpenOptions how;
    how.isolation = engine.isolation;
    how.options_json = engine.options_json;
    return open_backend(setup.plugins.at(engine.backend), how, std::move(services));
  };
  options.numerics = [&setup](const EngineSpec& engine) {
    return numerics_options(setup.plugins.at(engine.backend), engine.options_json);
  };
  options.need = [&setup](const EngineSpec& engine) {
    return need_of(setup.plugins.at(engine.backend), engine.options_json);
  };
  options.lower_memory = [&setup](const EngineSpec& engine) {
    return lower_memory(setup.plugins.at(engine.backend), engine.options_json);
  };
  return options;
}

}  // namespace promptsweep
