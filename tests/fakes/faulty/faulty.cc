// SPDX-License-Identifier: Apache-2.0
// A small plugin with at most one fault, chosen by a macro FAULT_<name>.
#include <cstdlib>
#include <promptsweep/backend.hpp>

namespace {

class Faulty {
 public:
  static void validate(std::string_view) {}
  Faulty(psw::Host, std::string_view) {}
  void run(psw::Job& job) {
    psw::Request request;
#ifdef FAULT_ignores_cancel
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
#endif
    while (!job.stopping() && job.next(request)) {
      job.deliver(request, R"({"text":"faulty","finish_reason":"stop"})");
    }
  }
};

#ifdef FAULT_crash_at_load
[[maybe_unused]] const int crashed = (std::abort(), 0);
#endif

#ifdef FAULT_newer_minor
constexpr std::uint32_t min_host_minor = 7;
#else
constexpr std::uint32_t min_host_minor = 0;
#endif

#ifdef FAULT_process_only
constexpr std::uint64_t capabilities = PSW_CAP_PROCESS_ONLY;
#else
constexpr std::uint64_t capabilities = 0;
#endif

#if defined(FAULT_nameless)
#define THE_ID ""
#elif defined(FAULT_wrong_id)
#define THE_ID "somebody_else"
#else
#define THE_ID FAULTY_ID
#endif

const psw_limits limits = {sizeof(psw_limits), 1, 0, 0, 0, 0, 10, 100, 1000, 100};
const psw_descriptor descriptor = {sizeof(psw_descriptor), min_host_minor,         PSW_LIT(THE_ID),
                                   PSW_LIT("Faulty"),      PSW_LIT("promptsweep"), PSW_LIT("1.2.3"),
                                   PSW_LIT("Apache-2.0"),  capabilities,           &limits,
                                   PSW_LIT("{}"),          PSW_LIT("[]")};

using plugin = psw::Plugin<Faulty, descriptor>;

[[maybe_unused]] const psw_descriptor* describe() noexcept {
#ifdef FAULT_aborting_describe
  std::abort();
#else
  return plugin::describe();
#endif
}

[[maybe_unused]] const psw_plugin_api* table() {
  [[maybe_unused]] static psw_plugin_api api = {
      sizeof(psw_plugin_api), PSW_TARGET_MINOR,     describe,
      plugin::init,           plugin::deinit,       plugin::validate_config,
      plugin::create,         plugin::destroy,      plugin::submit,
      plugin::poll,           plugin::fetch,        plugin::cancel,
      plugin::close,          plugin::get_extension};
#ifdef FAULT_missing_function
  api.fetch = nullptr;
#endif
#ifdef FAULT_short_table
  api.struct_size = offsetof(psw_plugin_api, cancel);
#endif
#ifdef FAULT_null_table
  return nullptr;
#else
  return &api;
#endif
}

}  // namespace

#if defined(FAULT_no_entry)
extern "C" PSW_EXPORT int something_else(void) { return 1; }
#elif defined(FAULT_other_major)
extern "C" PSW_EXPORT const void* psw_plugin_v2(void) noexcept { return nullptr; }
#else
extern "C" PSW_EXPORT const psw_plugin_api* psw_plugin_v1(void) noexcept { return table(); }
#endif
