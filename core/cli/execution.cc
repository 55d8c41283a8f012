// SPDX-License-Identifier: Apache-2.0
#include "cli/execution.h"

#include <algorithm>
#include <thread>

#include "backend/dry_run.h"
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
      ("reuse", po::value<std::string>()->default_value("none"),
       "take answers of earlier runs: none, controls (of control arms), all")  //
      ("accept_engine_change",
       "start arms again that another engine (build, model file) answered; their answers are kept "
       "aside");
  return options;
}

Result<ExecutionWish> execution_wish(const ParsedArguments& arguments) {
  ExecutionWish out;
  for (const auto& [name, member] :
       {std::pair("max_parallel_trials", &ExecutionWish::max_parallel_trials),
        std::pair("lines_per_part", &ExecutionWish::lines_per_part),
        std::pair("parts_per_dataset", &ExecutionWish::parts_per_dataset)}) {
    if (!arguments.has(name)) continue;
    const int value = arguments.get<int>(name);
    if (value < 1) {
      return Error{Code::invalid_input, std::string("--") + name + " " + std::to_string(value) +
                                            ": at least 1 is allowed"};
    }
    out.*member = value;
  }
  if (arguments.has("max_concurrent_jobs"))
    out.max_concurrent_jobs = arguments.get<int>("max_concurrent_jobs");
  out.accept_engine_change = arguments.has("accept_engine_change");
  if (arguments.has("reuse")) {
    const std::string name = arguments.get<std::string>("reuse");
    const std::optional<Reuse> reuse = reuse_from(name);
    if (!reuse) {
      return Error{Code::invalid_input,
                   "--reuse \"" + name + "\" is not one of none, controls, all"};
    }
    out.reuse = *reuse;
  }
  return out;
}

ExecuteOptions execute_options(const ExecutionWish& wish, const SweepSetup& setup, bool dry_run) {
  ExecuteOptions options;
  options.max_concurrent_jobs = wish.max_concurrent_jobs;
  options.lines_per_part = wish.lines_per_part ? wish.lines_per_part : setup.config.lines_per_part;
  options.parts_per_dataset = wish.parts_per_dataset;
  options.retries = setup.config.retries;
  options.retry_budget =
      setup.config.retry_budget.value_or(default_retry_budget(setup.planned.plan));
  options.accept_engine_change = wish.accept_engine_change;
  options.budget.engines = wish.max_parallel_trials.value_or(0);
  if (dry_run) {
    options.open = [](const EngineSpec&, const BackendServices&) {
      return Result<std::unique_ptr<Backend>>(make_dry_run_backend());
    };
    return options;
  }
  if (setup.config.cache.enabled) options.cache_path = setup.config.cache.path;
  options.reuse = wish.reuse;
  const int engines = options.budget.engines;
  options.budget = machine_budget(setup.config.resources);
  options.budget.engines = engines;
  options.open = [&setup](const EngineSpec& engine,
                          BackendServices services) -> Result<std::unique_ptr<Backend>> {
    const auto plugin = setup.plugins.find(engine.backend);
    if (plugin == setup.plugins.end()) {
      return Error{Code::not_found, "the plugin " + engine.backend + " is not here"};
    }
    OpenOptions how;
    how.isolation = engine.isolation;
    how.options_json = engine.options_json;
    services.proxy = setup.config.network.proxy;
    services.ca_bundle = setup.config.network.ca_bundle;
    return open_backend(plugin->second, how, std::move(services));
  };
  options.numerics = [&setup](const EngineSpec& engine) {
    const auto plugin = setup.plugins.find(engine.backend);
    return plugin == setup.plugins.end() ? std::string("{}")
                                         : numerics_options(plugin->second, engine.options_json);
  };
  options.need = [&setup](const EngineSpec& engine) -> std::optional<EngineNeed> {
    const auto plugin = setup.plugins.find(engine.backend);
    if (plugin == setup.plugins.end()) return EngineNeed{};
    return need_of(plugin->second, engine.options_json);
  };
  options.lower_memory = [&setup](const EngineSpec& engine) -> std::optional<std::string> {
    const auto plugin = setup.plugins.find(engine.backend);
    if (plugin == setup.plugins.end()) return std::nullopt;
    return lower_memory(plugin->second, engine.options_json);
  };
  return options;
}

}  // namespace promptsweep
