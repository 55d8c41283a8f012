// SPDX-License-Identifier: Apache-2.0
#include "cli/execution.h"

#include <algorithm>
#include <thread>

#include "base/env.h"

namespace promptsweep {

namespace po = boost::program_options;

namespace {

// Left for everything else on this machine.
constexpr double share_of_free_memory = 0.9;
constexpr std::int64_t least_retry_budget = 100;

EngineBudget machine_budget() {
  EngineBudget budget;
  if (const Result<std::uint64_t> free = available_memory_bytes()) {
    budget.ram_bytes =
        static_cast<std::uint64_t>(static_cast<double>(*free) * share_of_free_memory);
  }
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
  options.accept_engine_change = arguments.has("accept_engine_change");
  options.budget = machine_budget();
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
