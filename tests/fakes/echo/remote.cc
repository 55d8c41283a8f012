// SPDX-License-Identifier: Apache-2.0
#include "remote.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

namespace echo {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::int64_t now_ms() { return psw::unix_us_now() / 1000; }

[[noreturn]] void broken(const fs::path& file) {
  throw psw::Error(PSW_E_DATA, "the pretend provider's " + file.filename().string() + " is broken");
}

const char* fate_name(const RemoteFailure* fate) {
  if (fate == nullptr) return "complete";
  return fate->kind == RemoteFailureKind::expire   ? "expire"
         : fate->kind == RemoteFailureKind::cancel ? "cancel"
                                                   : "fail";
}

RemoteState state_of_fate(const std::string& fate) {
  return fate == "expire"   ? RemoteState::expired
         : fate == "cancel" ? RemoteState::cancelled
         : fate == "fail"   ? RemoteState::failed
                            : RemoteState::completed;
}

}  // namespace

// job.json: everything about a job that is known when it is created.
struct Remote::Record {
  std::string key, fate;
  std::int64_t created_ms = 0, queue_ms = 0, speed_ms = 0;
  std::uint64_t total = 0, fate_after = 0;
  std::map<std::uint64_t, FailureKind> rows;  // the rows that meet a failure
};

// One process at a time changes the folder. Ends with its process.
class Remote::Lock {
 public:
  explicit Lock(const fs::path& folder)
      : descriptor_(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) throw psw::Error(PSW_E_UNAVAILABLE, "cannot open the remote_folder");
    while (::flock(descriptor_, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      ::close(descriptor_);
      throw psw::Error(PSW_E_UNAVAILABLE, "cannot lock the remote_folder");
    }
  }
  ~Lock() { ::close(descriptor_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int descriptor_;
};

Remote::Remote(const Options& options)
    : options_(options.remote), folder_(fs::absolute(options.remote.folder)) {
  std::error_code failed;
  for (const char* part : {"jobs", "staging", "counts"}) {
    fs::create_directories(folder_ / part, failed);
    if (failed) throw psw::Error(PSW_E_CONFIG, "/remote_folder: cannot make it");
  }
}

Remote::Record Remote::read(const std::string& id) const {
  const fs::path file = folder_ / "jobs" / id / "job.json";
  std::ifstream in(file);
  if (!in) throw psw::Error(PSW_E_NOT_FOUND, "the pretend provider has no job " + id);
  const json object = json::parse(in, nullptr, false);
  if (!object.is_object()) broken(file);
  Record record;
  try {
    record.key = object.at("key").get<std::string>();
    record.fate = object.at("fate").get<std::string>();
    record.fate_after = object.at("fate_after").get<std::uint64_t>();
    record.created_ms = object.at("created_unix_ms").get<std::int64_t>();
    record.queue_ms = object.at("queue_ms").get<std::int64_t>();
    record.speed_ms = object.at("speed_ms").get<std::int64_t>();
    record.total = object.at("requests").get<std::uint64_t>();
    for (const auto& row : object.at("rows").items()) {
      record.rows[std::stoull(row.key())] = static_cast<FailureKind>(row.value().get<int>());
    }
  } catch (const std::exception&) {
    broken(file);
  }
  return record;
}

std::map<std::string, std::string> Remote::ids_by_key() const {
  std::map<std::string, std::string> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "jobs")) {
    const std::string id = entry.path().filename().string();
    out[read(id).key] = id;
  }
  return out;
}

std::optional<std::string> Remote::find(const std::string& key) const {
  const auto ids = ids_by_key();
  const auto found = ids.find(key);
  return found == ids.end() ? std::nullopt : std::optional(found->second);
}

bool Remote::holds(const std::string& id, const std::string& key) const {
  return fs::path(id).filename() == id && fs::exists(folder_ / "jobs" / id / "job.json") &&
         read(id).key == key;
}

std::optional<std::string> Remote::create(const std::string& key, Failures& failures,
                                          const std::function<bool(psw::Request&)>& next) {
  const Lock lock(folder_);
  const auto ids = ids_by_key();
  if (const auto found = ids.find(key); found != ids.end()) return found->second;
  if (options_.max_jobs != 0 && running_jobs() >= options_.max_jobs) return std::nullopt;
  const std::uint64_t number = ids.size() + 1;
  if (meets(RemoteFailureKind::kill_before_create, number)) std::raise(SIGKILL);
  if (meets(RemoteFailureKind::create_refused, number)) {
    throw psw::Error(PSW_E_UNAVAILABLE, "the provider took no job (injected)");
  }
  char name[32];
  std::snprintf(name, sizeof name, "job-%06llu", static_cast<unsigned long long>(number));
  // Of earlier processes that died here nothing but this may be left.
  const fs::path staged = folder_ / "staging" / name;
  fs::remove_all(staged);
  fs::create_directory(staged);
  write_job(staged, key, number, failures, next);
  fs::rename(staged, folder_ / "jobs" / name);
  if (meets(RemoteFailureKind::kill_after_create, number)) std::raise(SIGKILL);
  return std::string(name);
}

void Remote::write_job(const fs::path& folder, const std::string& key, std::uint64_t number,
                       Failures& failures, const std::function<bool(psw::Request&)>& next) const {
  json rows = json::object();
  std::uint64_t total = 0;
  std::ofstream out(folder / "requests.jsonl", std::ios::binary);
  for (psw::Request request; next(request); ++total) {
    out << request.line << '\n';
    if (const auto failure = failures.next(request)) {
      rows[std::to_string(total)] = static_cast<int>(*failure);
    }
  }
  out.close();
  const RemoteFailure* fate = fate_of(number);
  const json record = {{"key", key},
                       {"requests", total},
                       {"created_unix_ms", now_ms()},
                       {"queue_ms", options_.queue_ms},
                       {"speed_ms", options_.speed_ms},
                       {"fate", fate_name(fate)},
                       {"fate_after", fate ? fate->after.value_or(total / 2) : total},
                       {"rows", rows}};
  std::ofstream file(folder / "job.json", std::ios::binary);
  file << record.dump() << '\n';
  file.close();
  if (!out || !file) throw psw::Error(PSW_E_UNAVAILABLE, "the remote_folder is full");
}

const RemoteFailure* Remote::fate_of(std::uint64_t job) const {
  for (const RemoteFailure& rule : options_.failures) {
    const bool is_fate = rule.kind >= RemoteFailureKind::expire;
    if (is_fate && (rule.job == 0 || rule.job == job) && take_turn(rule)) return &rule;
  }
  return nullptr;
}

bool Remote::meets(RemoteFailureKind kind, const std::string& id) const {
  const Lock lock(folder_);
  return meets(kind, std::stoull(id.substr(id.find('-') + 1)));
}

bool Remote::meets(RemoteFailureKind kind, std::uint64_t job) const {
  for (const RemoteFailure& rule : options_.failures) {
    if (rule.kind != kind || (rule.job != 0 && rule.job != job)) continue;
    if (take_turn(rule)) return true;
  }
  return false;
}

bool Remote::take_turn(const RemoteFailure& rule) const {
  if (rule.times == 0) return true;
  const auto index = static_cast<std::size_t>(&rule - options_.failures.data());
  // One byte a time, on disk before the process may die of it.
  const fs::path file = folder_ / "counts" / std::to_string(index);
  std::ofstream(file, std::ios::app | std::ios::binary) << '.' << std::flush;
  return fs::file_size(file) <= rule.times;
}

std::uint64_t Remote::running_jobs() const {
  std::uint64_t running = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "jobs")) {
    running += !status(entry.path().filename().string()).ended();
  }
  return running;
}

RemoteStatus Remote::status(const std::string& id) const { return status(id, read(id)); }

RemoteStatus Remote::status(const std::string& id, const Record& record) const {
  std::int64_t clock = now_ms();
  std::int64_t cancelled_ms = 0;
  const bool marked = bool(std::ifstream(folder_ / "jobs" / id / "cancelled") >> cancelled_ms);
  if (marked) clock = std::min(clock, cancelled_ms);
  RemoteStatus out;
  out.total = record.total;
  const std::int64_t worked = clock - record.created_ms - record.queue_ms;
  const std::uint64_t limit = std::min(record.total, record.fate_after);
  if (worked >= 0) {
    out.state = RemoteState::running;
    const auto finished = record.speed_ms == 0 ? limit : std::uint64_t(worked / record.speed_ms);
    out.done = std::min(finished, limit);
    if (out.done == limit) out.state = state_of_fate(record.fate);
  }
  if (marked && !out.ended()) out.state = RemoteState::cancelled;
  return out;
}

void Remote::cancel(const std::string& id) const {
  const Lock lock(folder_);
  if (status(id).ended()) return;
  const fs::path job = folder_ / "jobs" / id;
  std::ofstream(job / "cancelling") << now_ms() << '\n';
  fs::rename(job / "cancelling", job / "cancelled");
}

void Remote::results(const std::string& id,
                     const std::function<void(const RemoteRow&)>& take) const {
  const Record record = read(id);
  const RemoteStatus at_end = status(id, record);
  if (!at_end.ended()) throw psw::Error(PSW_E_STATE, "the remote job has not ended");
  if (at_end.state == RemoteState::failed) return;
  std::ifstream in(folder_ / "jobs" / id / "requests.jsonl", std::ios::binary);
  RemoteRow row;
  for (std::uint64_t i = 0; i < at_end.done; ++i) {
    if (!std::getline(in, row.request.line)) broken("requests.jsonl");
    row.request.index = i;
    row.request.request_id = psw::detail::request_id_of(row.request.line);
    row.finished_unix_us =
        1000 * (record.created_ms + record.queue_ms + std::int64_t(i + 1) * record.speed_ms);
    const auto failure = record.rows.find(i);
    row.failure =
        failure == record.rows.end() ? std::nullopt : std::optional<FailureKind>(failure->second);
    if (row.failure == FailureKind::lose) continue;
    take(row);
    if (row.failure == FailureKind::duplicate) take(row);
  }
}

}  // namespace echo
