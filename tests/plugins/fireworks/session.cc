// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <promptsweep/http/client.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/digest.h"

namespace promptsweep {

using nlohmann::json;

json hasty(const std::string& url, json more) {
  json out{{"account_id", "team"},
           {"model", "emulated"},
           {"base_url", url},
           {"poll_s", 0.02},
           {"poll_max_s", 0.05}};
  out.update(more);
  return out;
}

std::vector<json> questions(std::size_t count) {
  std::vector<json> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({{"request_id", "r" + std::to_string(i)},
                   {"model", "m"},
                   {"messages",
                    {{{"role", "system"}, {"content", "Answer."}},
                     {{"role", "user"}, {"content", "Question " + std::to_string(i)}}}},
                   {"max_tokens", 16},
                   {"temperature", 0}});
  }
  return out;
}

json ask_emulator(const std::string& url, const std::string& path) {
  psw::http::Client client({});
  psw::http::Request request;
  request.url = url + path;
  const psw::http::Reply reply = client.run(std::move(request));
  return reply.good() ? json::parse(reply.body) : json();
}

Session::Session(const json& options, const std::string& key, const std::string& isolation) {
  Result<PluginInfo> plugin = find_plugin("fireworks", {BACKENDS_FOLDER});
  BOOST_REQUIRE_MESSAGE(plugin, (plugin ? "" : plugin.error().text));
  OpenOptions how;
  how.options_json = options.dump();
  how.isolation = isolation;
  BackendServices services;
  services.log = [this](int, std::string_view text) {
    const std::lock_guard lock(mutex_);
    log_ += std::string(text) + "\n";
  };
  services.checkpoint = [this](const std::string&, std::string_view text) -> Status {
    const std::lock_guard lock(mutex_);
    token_ = text;
    return ok;
  };
  services.secret = [key](const std::string&) { return std::optional(key); };
  services.scratch_folder = services.cache_folder = folder_.path();
  Result<std::unique_ptr<Backend>> opened = open_backend(*plugin, how, std::move(services));
  if (opened) {
    backend = std::move(opened).value();
  } else {
    refusal = opened.error().text;
  }
}

Status Session::submit(const std::vector<json>& lines, const Job& job) {
  BOOST_REQUIRE_MESSAGE(backend, refusal);
  std::ostringstream text;
  for (const json& line : lines) {
    // The core writes request_id first.
    nlohmann::ordered_json ordered{{"request_id", line.at("request_id")}};
    for (const auto& [key, value] : line.items()) ordered[key] = value;
    text << ordered.dump() << '\n';
  }
  JobRequest request;
  request.job_id = job.key;
  request.requests_path = folder_ / (job.key + ".lines");
  std::ofstream(request.requests_path) << text.str();
  request.request_count = lines.size();
  request.request_bytes = text.str().size();
  request.requests_sha256 = sha256_hex(text.str());
  request.attach_only = job.attach_only;
  request.resume_token = job.token;
  return backend->submit(request);
}

std::map<std::string, ResultRow> Session::collect(const std::string& key) {
  std::map<std::string, ResultRow> out;
  while (true) {
    Result<JobStatus> status = backend->poll(key);
    BOOST_REQUIRE_MESSAGE(status, (status ? "" : status.error().text));
    Result<FetchResult> fetched = backend->fetch(key, 1000, 20, [&](ResultRow row) -> Status {
      const std::string id = row.request_id;
      BOOST_TEST(out.emplace(id, std::move(row)).second, "twice: " << id);
      return ok;
    });
    BOOST_REQUIRE_MESSAGE(fetched, (fetched ? "" : fetched.error().text));
    last = *status;
    if (is_terminal(status->state) && fetched->delivered == 0) break;
  }
  BOOST_REQUIRE(backend->close(key));
  return out;
}

std::map<std::string, ResultRow> Session::ask(const std::vector<json>& lines,
                                              const std::string& key) {
  const Status submitted = submit(lines, {key, false, ""});
  BOOST_REQUIRE_MESSAGE(submitted, (submitted ? "" : submitted.error().text));
  return collect(key);
}

void Session::wait_for(const std::string& key,
                       const std::function<bool(const JobStatus&)>& reached) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (true) {
    const Result<JobStatus> status = backend->poll(key);
    BOOST_REQUIRE_MESSAGE(status, (status ? "" : status.error().text));
    if (reached(*status)) return;
    BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < end, "not reached: " + status->stage);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// The only child of that name that this process has.
void Session::kill_host() {
  int killed = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    // PID (NAME) STATE PARENT ...
    std::string stat;
    std::getline(std::ifstream(entry.path() / "stat"), stat);
    const std::size_t open = stat.find('('), close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    const std::string name = stat.substr(open + 1, close - open - 1);
    pid_t parent = 0;
    char state = 0;
    std::istringstream(stat.substr(close + 1)) >> state >> parent;
    if (parent != ::getpid() || name.rfind("promptsweep-hos", 0) != 0 || state == 'Z') continue;
    ::kill(static_cast<pid_t>(std::stol(stat)), SIGKILL);
    ++killed;
  }
  BOOST_REQUIRE(killed == 1);
}

std::string Session::token() const {
  const std::lock_guard lock(mutex_);
  return token_;
}

std::string Session::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

bool Session::has_written(const std::string& text) const {
  if (log().find(text) != std::string::npos) return true;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    std::ostringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    if (bytes.str().find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace promptsweep
