// SPDX-License-Identifier: Apache-2.0
// Records a second from a plugin that answers at once, in this process and through a host process.
// Fails when fewer than 100,000 a second cross the process boundary (not under a sanitizer).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "host/host_client.h"
#include "host/inline_instance.h"
#include "temporary_folder.h"

using namespace promptsweep::host;

namespace {

constexpr std::uint64_t records = 300000;
constexpr double required_per_second = 100000;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool judged = false;
#else
constexpr bool judged = true;
#endif

[[noreturn]] void give_up(const CallStatus& status) {
  std::fprintf(stderr, "%s\n", status.message.c_str());
  std::exit(2);
}

JobArgs make_job(const std::filesystem::path& folder) {
  JobArgs args;
  args.job = 1;
  args.requests_path = (folder / "requests.jsonl").string();
  args.request_count = records;
  std::ofstream out(args.requests_path);
  for (std::uint64_t i = 0; i < records; ++i) {
    out << "{\"request_id\":\"request" << i << "\",\"prompt\":\"p\",\"max_tokens\":1}\n";
  }
  return args;
}

// Records a second while the plugin makes them, both marks of each included.
double rate(Instance& instance, const JobArgs& args) {
  if (CallStatus s = instance.submit(args); !s) give_up(s);
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t taken = 0, bytes = 0;
  while (taken < records) {
    Fetched fetched;
    const CallStatus s = instance.fetch(
        args.job, records, 100,
        [&](const Record& record) -> CallStatus {
          bytes += record.body_json.size();
          return {};
        },
        fetched);
    if (!s) give_up(s);
    taken += fetched.emitted;
  }
  if (bytes < records) std::exit(2);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(records) / passed.count();
}

}  // namespace

int main() {
  const TemporaryFolder folder;
  const JobArgs args = make_job(folder.path());
  const std::filesystem::path library = std::filesystem::path(FAULTY_FOLDER) / "faulty_none.so";

  const LoadedPlugin* plugin = nullptr;
  if (CallStatus s = load_plugin(library, &plugin); !s) give_up(s);
  std::unique_ptr<Instance> in_process;
  if (CallStatus s = create_inline(*plugin, "{}", {}, &in_process); !s) give_up(s);
  const double inside = rate(*in_process, args);

  HostOptions options;
  options.program = find_host_program().value();
  options.library = library;
  std::unique_ptr<HostProcess> process;
  if (CallStatus s = HostProcess::start(std::move(options), &process); !s) give_up(s);
  if (CallStatus s = process->create("{}"); !s) give_up(s);
  const double outside = rate(*process, args);

  std::printf("in this process %.0f records/s, through a host process %.0f records/s, ratio %.2f\n",
              inside, outside, outside / inside);
  return judged && outside < required_per_second ? 1 : 0;
}
