// SPDX-License-Identifier: Apache-2.0
#include "cli/preflight.h"

namespace promptsweep {
namespace {

Result<std::string> ask(const SweepConfig& config, const PluginInfo& plugin,
                        const EngineSpec& engine, const StopFlag& stop) {
  BackendServices services;
  services.only_check = true;
  services.proxy = config.network.proxy;
  services.ca_bundle = config.network.ca_bundle;
  services.should_stop = [&stop] { return stop.requested(); };
  OpenOptions how;
  how.isolation = engine.isolation;
  how.options_json = engine.options_json;
  const Result<std::unique_ptr<Backend>> backend = open_backend(plugin, how, std::move(services));
  if (!backend) return backend.error();
  return (*backend)->engine_identity();
}

// The person who runs this has to change something before it can work.
bool asks_for_a_change(Code code) {
  return code == Code::invalid_input || code == Code::not_found || code == Code::unsupported;
}

}  // namespace

std::vector<ServiceCheck> check_services(const SweepSetup& setup, const StopFlag& stop) {
  std::vector<ServiceCheck> out;
  for (const EngineSpec& engine : setup.planned.plan.engines) {
    const auto plugin = setup.plugins.find(engine.backend);
    if (plugin == setup.plugins.end() || !plugin->second.facts.remote) continue;
    if (stop.requested()) break;
    out.push_back({engine.model, engine.backend, ask(setup.config, plugin->second, engine, stop)});
  }
  return out;
}

Status require_services(const std::vector<ServiceCheck>& checks) {
  std::string text;
  std::optional<Code> code;
  for (const ServiceCheck& check : checks) {
    if (check.identity) continue;
    const Error& error = check.identity.error();
    text += (text.empty() ? "" : "\n") + check.model + " (" + check.backend + "): " + error.text;
    if (!code) code = error.code;
    if (asks_for_a_change(error.code)) code = Code::invalid_input;
  }
  if (!code) return ok;
  return Error{*code, text};
}

}  // namespace promptsweep
