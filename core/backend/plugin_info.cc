// SPDX-License-Identifier: Apache-2.0
// Everything about a plugin that needs no instance. Foreign code runs in a child process only.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "backend/open.h"
#include "backend/options.h"
#include "backend/start_host.h"
#include "backend/text.h"
#include "base/env.h"
#include "host/loader.h"

namespace promptsweep {
namespace {

BackendFacts facts_of(const host::Description& d) {
  BackendFacts f;
  f.id = d.id;
  f.version = d.version;
  f.concurrent_jobs = d.has(PSW_CAP_CONCURRENT_JOBS);
  f.partial_fetch = d.has(PSW_CAP_PARTIAL_FETCH);
  f.resumes = d.has(PSW_CAP_RESUME);
  f.remote = d.has(PSW_CAP_REMOTE);
  f.gpu = d.has(PSW_CAP_GPU);
  f.process_only = d.has(PSW_CAP_PROCESS_ONLY);
  f.seeded = d.has(PSW_CAP_SEEDED);
  f.max_concurrent_jobs = d.limits.max_concurrent_jobs;
  f.max_requests_per_job = d.limits.max_requests_per_job;
  f.max_request_bytes = d.limits.max_request_bytes;
  f.max_job_bytes = d.limits.max_job_bytes;
  f.preferred_requests_per_job = d.limits.preferred_requests_per_job;
  f.min_poll_ms = d.limits.min_poll_ms;
  f.cancel_bound_ms = d.limits.cancel_bound_ms;
  return f;
}

Result<std::vector<std::string>> secret_names(const host::Description& d) {
  std::vector<std::string> out;
  if (d.secrets_json.empty()) return out;
  const nlohmann::json names = nlohmann::json::parse(d.secrets_json, nullptr, false);
  const Error broken{Code::invalid_input, d.id + " is refused: its list of secrets is broken"};
  if (!names.is_array()) return broken;
  for (const nlohmann::json& name : names) {
    if (!name.is_string()) return broken;
    out.push_back(name.get<std::string>());
  }
  return out;
}

std::string joined(const std::vector<std::filesystem::path>& folders) {
  std::string out;
  for (const auto& folder : folders) out += (out.empty() ? "" : ", ") + folder.string();
  return out.empty() ? "nowhere" : out;
}

Result<PluginInfo> info_of(const std::filesystem::path& library, const host::Description& d,
                           const std::string& name) {
  if (d.id != name) {
    return Error{Code::invalid_input, library.string() + " is refused: it calls itself \"" + d.id +
                                          "\", so its file must be called " + d.id + ".so"};
  }
  Result<std::vector<std::string>> secrets = secret_names(d);
  if (!secrets) return std::move(secrets).error();
  PluginInfo info;
  info.library = library;
  info.id = d.id;
  info.name = d.name;
  info.vendor = d.vendor;
  info.version = d.version;
  info.license = d.license;
  info.abi_minor = d.abi_minor;
  info.facts = facts_of(d);
  info.config_schema_json = d.config_schema_json;
  info.secrets = *std::move(secrets);
  return info;
}

}  // namespace

std::vector<std::filesystem::path> backend_search_path(
    const std::vector<std::filesystem::path>& from_command_line) {
  std::vector<std::filesystem::path> out = from_command_line;
  if (const auto listed = environment("PROMPTSWEEP_BACKEND_PATH")) {
    for (std::size_t from = 0; from <= listed->size();) {
      const std::size_t end = std::min(listed->find(':', from), listed->size());
      if (end > from) out.emplace_back(listed->substr(from, end - from));
      from = end + 1;
    }
  }
  const std::filesystem::path here = executable_path().parent_path();
  out.push_back((here / ".." / "lib" / "promptsweep" / "backends").lexically_normal());
  return out;
}

Result<PluginInfo> find_plugin(const std::string& name,
                               const std::vector<std::filesystem::path>& search_path) {
  const auto library = host::find_library(name, search_path);
  if (!library) {
    return Error{Code::not_found, "there is no backend \"" + name + "\": looked for " + name +
                                      ".so in " + joined(search_path)};
  }
  const Redactor nothing_secret;
  auto process = start_host(*library, {}, nullptr, nothing_secret);
  if (!process) {
    Error error = std::move(process).error();
    if (error.code == Code::unsupported) error.code = Code::invalid_input;
    return error;
  }
  return info_of(*library, (*process)->description(), name);
}

std::string complete_options(const PluginInfo& plugin, const std::string& options_json,
                             const std::string& model) {
  return completed_options(plugin.config_schema_json, options_json, model,
                           [](const std::string& name) { return environment(name.c_str()); });
}

Status validate_options(const PluginInfo& plugin, const std::string& options_json) {
  if (Status fits = check_against_schema(plugin.config_schema_json, options_json); !fits) {
    return fits;
  }
  const Redactor nothing_secret;
  auto process = start_host(plugin.library, {}, nullptr, nothing_secret);
  if (!process) return std::move(process).error();
  const host::CallStatus checked = (*process)->validate(options_json);
  return checked ? Status(ok) : Status(to_error(checked, nothing_secret));
}

std::string answer_changing_options(const PluginInfo& plugin, const std::string& options_json) {
  return marked_options(plugin.config_schema_json, options_json, "x-changes-answers");
}

std::string numerics_options(const PluginInfo& plugin, const std::string& options_json) {
  return marked_options(plugin.config_schema_json, options_json, "x-changes-numerics");
}

std::optional<std::string> lower_memory(const PluginInfo& plugin, const std::string& options_json) {
  return with_less_memory(plugin.config_schema_json, options_json);
}

int cores_used(const PluginInfo& plugin, const std::string& options_json) {
  const std::optional<std::int64_t> threads =
      threads_option(plugin.config_schema_json, options_json);
  if (!threads) return 0;
  if (*threads > 0) return static_cast<int>(*threads);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<std::optional<ResourceNeed>> estimate_resources(const PluginInfo& plugin,
                                                       const std::string& options_json) {
  const Redactor nothing_secret;
  auto process = start_host(plugin.library, {}, nullptr, nothing_secret);
  if (!process) return std::move(process).error();
  std::optional<host::ResourceNeed> need;
  if (const auto asked = (*process)->estimate(options_json, &need); !asked) {
    return to_error(asked, nothing_secret);
  }
  if (!need) return std::optional<ResourceNeed>();
  return std::optional(ResourceNeed{need->ram_bytes, need->vram_bytes, need->basis});
}

}  // namespace promptsweep
