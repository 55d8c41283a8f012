// SPDX-License-Identifier: Apache-2.0
#include "host/loader.h"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <map>
#include <memory>
#include <mutex>

#include "host/inline_instance.h"
#include "host/loader_posix.h"

namespace promptsweep::host {
namespace {

namespace dll = boost::dll;

CallStatus refuse(const std::filesystem::path& library, const std::string& why) {
  return CallStatus::failure(PSW_E_UNSUPPORTED, library.string() + " is refused: " + why,
                             PSW_SCOPE_LIBRARY);
}

std::string text_of(const psw_str& s) {
  return s.data ? std::string(s.data, static_cast<std::size_t>(s.len)) : std::string();
}

// The first required member that the table lacks, or nullptr.
const char* missing_function(const psw_plugin_api& api) {
#define CHECK(name) \
  if (!PSW_HAS_FN(&api, psw_plugin_api, name)) return #name
  CHECK(describe);
  CHECK(init);
  CHECK(deinit);
  CHECK(validate_config);
  CHECK(create);
  CHECK(destroy);
  CHECK(submit);
  CHECK(poll);
  CHECK(fetch);
  CHECK(cancel);
  CHECK(close);
  CHECK(get_extension);
#undef CHECK
  return nullptr;
}

Limits limits_of(const psw_descriptor& d) {
  Limits out;
  // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of the member, which is a pointer
  if (!PSW_HAS(&d, psw_descriptor, limits) || d.limits == nullptr) return out;
  const psw_limits* l = d.limits;
#define TAKE(field) \
  if (PSW_HAS(l, psw_limits, field)) out.field = l->field
  TAKE(max_concurrent_jobs);
  TAKE(max_requests_per_job);
  TAKE(max_request_bytes);
  TAKE(max_job_bytes);
  TAKE(preferred_requests_per_job);
  TAKE(min_poll_ms);
  TAKE(cancel_bound_ms);
  TAKE(create_bound_ms);
  TAKE(destroy_bound_ms);
#undef TAKE
  if (out.max_concurrent_jobs == 0) out.max_concurrent_jobs = 1;
  return out;
}

CallStatus describe(const std::filesystem::path& library, const psw_plugin_api& api,
                    Description& out) {
  const psw_descriptor* d = api.describe();
  if (d == nullptr || !PSW_HAS(d, psw_descriptor, capabilities) || d->id.len == 0) {
    return refuse(library, "it does not describe itself");
  }
  out.abi_minor = PSW_HAS(&api, psw_plugin_api, abi_minor) ? api.abi_minor : 0;
  out.min_host_minor = d->min_host_minor;
  out.id = text_of(d->id);
  out.name = text_of(d->name);
  out.vendor = text_of(d->vendor);
  out.version = text_of(d->version);
  out.license = text_of(d->license);
  out.capabilities = d->capabilities;
  out.limits = limits_of(*d);
  if (PSW_HAS(d, psw_descriptor, config_schema_json)) {
    out.config_schema_json = text_of(d->config_schema_json);
  }
  if (PSW_HAS(d, psw_descriptor, secrets_json)) out.secrets_json = text_of(d->secrets_json);
  if (out.min_host_minor > PSW_ABI_MINOR) {
    return refuse(library, out.id + " " + out.version + " needs plugin ABI 1." +
                               std::to_string(out.min_host_minor) + ", this program has 1." +
                               std::to_string(PSW_ABI_MINOR) +
                               "; update the program or use an older " + out.id);
  }
  return {};
}

// Says what a library without psw_plugin_v1 is.
CallStatus refuse_without_entry(const std::filesystem::path& library,
                                const dll::shared_library& lib) {
  constexpr int majors_to_try = 9;
  for (int major = 2; major <= majors_to_try; ++major) {
    if (lib.has("psw_plugin_v" + std::to_string(major))) {
      return refuse(library, "it speaks plugin ABI " + std::to_string(major) +
                                 ", this program only " + std::to_string(PSW_ABI_MAJOR));
    }
  }
  return refuse(library, "it is no promptsweep plugin (it exports no " PSW_ENTRY_SYMBOL_V1 ")");
}

struct Registered {
  dll::shared_library library;
  LoadedPlugin plugin;
};

CallStatus load_new(const std::filesystem::path& path, Registered& out) {
  if (const auto unsafe = writable_by_others(path)) return refuse(path, *unsafe);
  try {
    out.library.load(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
  } catch (const std::exception& e) {
    return refuse(path, std::string("it cannot be loaded: ") + e.what());
  }
  pin_library(path);
  if (!out.library.has(PSW_ENTRY_SYMBOL_V1)) return refuse_without_entry(path, out.library);
  const auto entry = out.library.get<const psw_plugin_api*() PSW_NOEXCEPT>(PSW_ENTRY_SYMBOL_V1);
  const psw_plugin_api* api = entry();
  if (api == nullptr) return refuse(path, "it gives no function table");
  if (const char* name = missing_function(*api)) {
    return refuse(path, std::string("its table lacks the required function ") + name);
  }
  out.plugin.api = api;
  out.plugin.path = path;
  if (CallStatus described = describe(path, *api, out.plugin.description); !described) {
    return described;
  }
  ErrorBuffer error;
  const std::string folder = path.parent_path().string();
  const psw_str folder_str = to_str(folder);
  const psw_status status = api->init(&folder_str, error.get());
  return status == PSW_OK ? CallStatus{} : error.status(status);
}

}  // namespace

std::optional<std::filesystem::path> find_library(
    const std::string& name, const std::vector<std::filesystem::path>& search_path) {
  if (name.empty() || name[0] == '.' || name.find('/') != std::string::npos) return std::nullopt;
  for (const std::filesystem::path& folder : search_path) {
    std::error_code failed;
    const std::filesystem::path candidate = folder / (name + ".so");
    if (!std::filesystem::exists(candidate, failed)) continue;
    std::filesystem::path whole = std::filesystem::canonical(candidate, failed);
    if (!failed) return whole;
  }
  return std::nullopt;
}

CallStatus load_plugin(const std::filesystem::path& library, const LoadedPlugin** out) {
  // Never destroyed: libraries stay loaded, and dlopen is not asked to run beside itself.
  static std::mutex& mutex = *new std::mutex;
  static auto& registry = *new std::map<std::string, std::unique_ptr<Registered>>;
  std::lock_guard<std::mutex> lock(mutex);
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::canonical(library, failed);
  if (failed) return refuse(library, "there is no such file");
  const auto found = registry.find(path.string());
  if (found != registry.end()) {
    *out = &found->second->plugin;
    return {};
  }
  auto fresh = std::make_unique<Registered>();
  if (CallStatus loaded = load_new(path, *fresh); !loaded) return loaded;
  *out = &fresh->plugin;
  registry.emplace(path.string(), std::move(fresh));
  return {};
}

}  // namespace promptsweep::host
