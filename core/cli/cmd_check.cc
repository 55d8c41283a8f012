// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/env.h"
#include "cli/command.h"
#include "cli/preflight.h"
#include "cli/stop_watch.h"
#include "cli/sweep_setup.h"

namespace promptsweep {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

// Prints what an engine needs beside what is free; false when it cannot fit.
bool check_memory(const EngineSpec& engine, const PluginInfo& plugin) {
  const Result<std::optional<ResourceNeed>> need = estimate_resources(plugin, engine.options_json);
  if (!need) {
    std::cout << "  memory   " << engine.model << ": " << need.error().text << '\n';
    return false;
  }
  if (!*need) {
    std::cout << "  memory   " << engine.model << ": the plugin cannot tell\n";
    return true;
  }
  const Result<std::uint64_t> free = available_memory_bytes();
  std::cout << "  memory   " << engine.model << ": needs " << mebibytes((*need)->ram_bytes)
            << " RAM, " << mebibytes((*need)->vram_bytes) << " VRAM (" << (*need)->basis
            << "); free RAM " << (free ? mebibytes(*free) : "unknown") << '\n';
  return !free || (*need)->ram_bytes <= *free;
}

// Prints what each service says it is; false when one would not serve.
bool check_and_print_services(const SweepSetup& setup) {
  const std::vector<ServiceCheck> checks = check_services(setup, stop_on_interrupt());
  for (const ServiceCheck& check : checks) {
    std::cout << (check.identity ? "  service  " : "  REFUSED  ") << check.model << " ("
              << check.backend
              << "): " << (check.identity ? *check.identity : check.identity.error().text) << '\n';
  }
  return bool(require_services(checks));
}

}  // namespace

int cmd_check(const std::vector<std::string>& arguments) {
  const auto options = sweep_options();
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << "promptsweep check - is everything there that a run needs? Services are asked "
                 "whether they know\nthe key and the model; no question is sent and nothing is "
                 "written.\n\n"
                 "  promptsweep check --config config/eval_config.demo.yaml\n\n"
              << options << "\nExit codes: 0 ready, 2 something is wrong or missing.\n";
    return exit_ok;
  }
  Result<SweepSetup> setup = set_up_sweep(*parsed);
  if (!setup) return fail(setup.error());
  for (const std::string& warning : setup->config.warnings)
    std::cerr << "warning: " << warning << '\n';
  bool ready = setup->missing.empty() && setup->config.run_refusals.empty();
  std::cout << "  config   " << setup->config.file.string() << ": "
            << setup->planned.plan.trials.size() << " trials, " << setup->planned.plan.arms.size()
            << " arms\n";
  if (setup->selection) std::cout << "  data     " << setup->selection->size() << " items\n";
  for (const auto& [name, plugin] : setup->plugins) {
    std::cout << "  backend  " << name << ' ' << plugin.version << " (" << plugin.library.string()
              << ")\n";
  }
  for (const EngineSpec& engine : setup->planned.plan.engines) {
    const auto plugin = setup->plugins.find(engine.backend);
    if (plugin == setup->plugins.end() || plugin->second.facts.remote) continue;
    ready = check_memory(engine, plugin->second) && ready;
  }
  ready = check_and_print_services(*setup) && ready;
  for (const std::string& sentence : setup->missing) std::cout << "  MISSING  " << sentence << '\n';
  for (const std::string& sentence : setup->config.run_refusals)
    std::cout << "  REFUSED  " << sentence << '\n';
  std::cout << (ready ? "ready\n" : "not ready\n");
  return ready ? exit_ok : exit_bad_input;
}

}  // namespace promptsweep
