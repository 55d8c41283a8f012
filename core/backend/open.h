// SPDX-License-Identifier: Apache-2.0
// From a plugin's name to a Backend: find, check, start.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"

namespace promptsweep {

// Where plugins are looked for, first match wins: --backend-path, PROMPTSWEEP_BACKEND_PATH
// (colon-separated), then the installed folder.
std::vector<std::filesystem::path> backend_search_path(
    const std::vector<std::filesystem::path>& from_command_line);

struct PluginInfo {
  std::filesystem::path library;
  std::string id, name, vendor, version, license;
  std::uint32_t abi_minor = 0;
  BackendFacts facts;
  std::string config_schema_json;
  std::vector<std::string> secrets;
};

// Finds the plugin `name` and describes it (in a child process, so that a broken library cannot
// take this program down).
// Code::not_found: no file of that name on the path (the message lists where was looked).
// Code::invalid_input: a file was found and refused; the message says why in one sentence.
Result<PluginInfo> find_plugin(const std::string& name,
                               const std::vector<std::filesystem::path>& search_path);

// The options with what the core knows filled in where they are absent: the model, and what the
// plugin's schema takes from the environment (x-role "model", x-env).
std::string complete_options(const PluginInfo& plugin, const std::string& options_json,
                             const std::string& model);

// Checks `options_json` against the plugin's schema and then by the plugin itself (pure, no I/O).
// The error text begins with one JSON pointer into the options: "/n_ctx: ...".
Status validate_options(const PluginInfo& plugin, const std::string& options_json);

// Of a plugin's options: the ones marked x-changes-answers (with the schema's defaults filled in),
// and the ones marked x-changes-numerics, each as canonical JSON. The first enters arm identities.
std::string answer_changing_options(const PluginInfo& plugin, const std::string& options_json);
std::string numerics_options(const PluginInfo& plugin, const std::string& options_json);

// The options with which an instance that ran out of memory may be tried again: parallelism, then
// offload are lowered, never anything that belongs to the experiment. nullopt: nothing is left.
std::optional<std::string> lower_memory(const PluginInfo& plugin, const std::string& options_json);
// Cores that an instance keeps busy while it generates: 0 where the plugin marks no such option
// (it waits for a server), all of the machine's where the option says 0.
int cores_used(const PluginInfo& plugin, const std::string& options_json);

// Memory an instance would need; nullopt when the plugin cannot tell.
struct ResourceNeed {
  std::uint64_t ram_bytes = 0, vram_bytes = 0;
  std::string basis;
};
Result<std::optional<ResourceNeed>> estimate_resources(const PluginInfo& plugin,
                                                       const std::string& options_json);

struct OpenOptions {
  std::string isolation = "auto";  // auto, process, inline
  std::string options_json = "{}";
  int restart_limit = 5;  // of a host process, within this Backend's life
};

// Starts an instance (which may load a model; services.progress hears of it).
Result<std::unique_ptr<Backend>> open_backend(const PluginInfo& plugin, const OpenOptions& options,
                                              BackendServices services);

}  // namespace promptsweep
