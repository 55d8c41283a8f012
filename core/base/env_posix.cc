// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/env.h"
#include "base/fault.h"

namespace promptsweep {
namespace {

Error io_error(const char* what, const std::filesystem::path& path) {
  const int number = errno;
  const Code code =
      number == ENOSPC || number == EDQUOT || number == EFBIG ? Code::resource : Code::io;
  return Error{code,
               std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(number)};
}

Status write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return io_error("write", path);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return ok;
}

Status sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return io_error("open", folder);
  const int failed = ::fsync(descriptor);
  // Some file systems cannot sync a folder and say EINVAL; there the rename is as durable as it
  // gets.
  const bool real_failure = failed != 0 && errno != EINVAL;
  Status result = real_failure ? Status(io_error("sync", folder)) : Status(ok);
  ::close(descriptor);
  return result;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Error{Code::io, "cannot read " + path.string() + ": it is a folder"};
  }
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return Error{errno == ENOENT ? Code::not_found : Code::io,
                 "cannot read " + path.string() + ": " + std::strerror(errno)};
  std::ostringstream out;
  out << in.rdbuf();
  if (in.bad()) return Error{Code::io, "cannot read " + path.string()};
  return std::move(out).str();
}

Status make_folders(const std::filesystem::path& path) {
  if (path.empty() || std::filesystem::is_directory(path)) return ok;
  const std::filesystem::path parent = path.parent_path();
  if (Status made = make_folders(parent); !made) return made;
  fault_point("folder.before");
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
    return io_error("create the folder", path);
  fault_point("folder.after");
  return sync_folder(parent.empty() ? std::filesystem::path(".") : parent);
}

Status sync_file(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return io_error("open", path);
  const Status result = ::fsync(descriptor) != 0 ? Status(io_error("sync", path)) : Status(ok);
  ::close(descriptor);
  return result;
}

Status rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  fault_point("rename.before");
  if (::rename(from.c_str(), to.c_str()) != 0) return io_error("replace", to);
  fault_point("rename.after");
  return sync_folder(to.has_parent_path() ? to.parent_path() : std::filesystem::path("."));
}

Status write_file_atomic(const std::filesystem::path& path, std::string_view bytes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file) return std::move(file).error();
  if (Status written = file->append(bytes); !written) return written;
  return file->commit();
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  if (Status made = make_folders(path.parent_path()); !made) return std::move(made).error();
  std::filesystem::path temporary = path;
  temporary += "." + std::to_string(::getpid()) + "." + std::to_string(monotonic_us()) + ".tmp";
  // 0666 and the umask, not mkstemp's 0600: collaborators read these files.
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return io_error("write", path);
  return AtomicFile(descriptor, path, std::move(temporary));
}

AtomicFile::AtomicFile(int descriptor, std::filesystem::path path, std::filesystem::path temporary)
    : descriptor_(descriptor), path_(std::move(path)), temporary_(std::move(temporary)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      buffer_(std::move(other.buffer_)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status AtomicFile::append(std::string_view bytes) {
  constexpr std::size_t buffer_limit = std::size_t{1} << 16;
  buffer_.append(bytes);
  return buffer_.size() < buffer_limit ? Status(ok) : write_buffer();
}

Status AtomicFile::write_buffer() {
  Status written = write_all(descriptor_, buffer_, path_);
  buffer_.clear();
  return written;
}

Status AtomicFile::commit() {
  fault_point("file.write");
  if (Status written = write_buffer(); !written) return written;
  if (::fsync(descriptor_) != 0) return io_error("sync", path_);
  if (::close(std::exchange(descriptor_, -1)) != 0) return io_error("close", path_);
  fault_point("file.before");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return io_error("replace", path_);
  temporary_.clear();
  fault_point("file.after");
  return sync_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

Result<TemporaryFile> TemporaryFile::create() {
  std::error_code failed;
  std::filesystem::path folder = std::filesystem::temp_directory_path(failed);
  if (failed) folder = ".";
  std::string name = (folder / "promptsweep-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return io_error("create a temporary file in", folder);
  ::unlink(name.c_str());
  return TemporaryFile(descriptor);
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

TemporaryFile::~TemporaryFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status TemporaryFile::append(std::string_view bytes) {
  if (Status done = write_all(descriptor_, bytes, "a temporary file"); !done) return done;
  size_ += bytes.size();
  return ok;
}

Result<std::string> TemporaryFile::read(std::uint64_t offset, std::size_t size) const {
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got =
        ::pread(descriptor_, out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("read", "a temporary file");
    if (got == 0) return Error{Code::io, "a temporary file is shorter than what was written"};
    have += static_cast<std::size_t>(got);
  }
  return out;
}

namespace {

std::string note_in(int descriptor) {
  char note[512];
  const ssize_t size = ::pread(descriptor, note, sizeof note, 0);
  std::string out(note, size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace

Result<std::optional<std::string>> FileLock::holder(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return io_error("open", path);
  }
  const FileLock look(descriptor);
  if (::flock(descriptor, LOCK_SH | LOCK_NB) == 0) return std::optional<std::string>();
  if (errno != EWOULDBLOCK) return io_error("lock", path);
  return std::optional(note_in(descriptor));
}

Result<std::optional<FileLock>> FileLock::try_take(const std::filesystem::path& path,
                                                   std::string_view owner_note,
                                                   std::string* holder) {
  if (Status made = make_folders(path.parent_path()); !made) return std::move(made).error();
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return io_error("open", path);
  FileLock lock(descriptor);
  // FileLock::holder has the lock for an instant when it looks; a second try tells it from a
  // process that keeps it.
  constexpr int tries = 6;
  constexpr useconds_t pause_us = 10'000;
  for (int left = tries - 1; ::flock(descriptor, LOCK_EX | LOCK_NB) != 0; --left) {
    if (errno != EWOULDBLOCK) return io_error("lock", path);
    if (left == 0) {
      if (holder != nullptr) *holder = note_in(descriptor);
      return std::optional<FileLock>();
    }
    ::usleep(pause_us);
  }
  if (::ftruncate(descriptor, 0) != 0) return io_error("write", path);
  if (Status noted = write_all(descriptor, std::string(owner_note) + "\n", path); !noted) {
    return std::move(noted).error();
  }
  return std::optional<FileLock>(std::move(lock));
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

namespace {

// Both ends of a pipe; what is still open is closed at the end.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  bool open() { return ::pipe2(ends, O_CLOEXEC) == 0; }
  void close_end(int which) {
    if (ends[which] >= 0) ::close(std::exchange(ends[which], -1));
  }
};

// Reads both until their writers have closed them; a program that fills one pipe while the other
// is being waited for would never end.
void drain(Pipe& output, std::string& text, Pipe& errors, std::string& error_text) {
  struct {
    Pipe& pipe;
    std::string& text;
  } sources[] = {{output, text}, {errors, error_text}};
  while (sources[0].pipe.ends[0] >= 0 || sources[1].pipe.ends[0] >= 0) {
    pollfd waits[] = {{sources[0].pipe.ends[0], POLLIN, 0}, {sources[1].pipe.ends[0], POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return;
    for (int i = 0; i < 2; ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      char buffer[1 << 14];
      const ssize_t size = ::read(waits[i].fd, buffer, sizeof buffer);
      if (size > 0) {
        sources[i].text.append(buffer, static_cast<std::size_t>(size));
      } else if (size == 0 || errno != EINTR) {
        sources[i].pipe.close_end(0);
      }
    }
  }
}

}  // namespace

Result<ProgramEnd> run_program(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  Pipe output, errors;
  if (!output.open() || !errors.open()) return io_error("make a pipe for", arguments[0]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors.ends[1], STDERR_FILENO);
  pid_t child = 0;
  errno = ::posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (errno == ENOENT) return Error{Code::not_found, "there is no program " + arguments[0]};
  if (errno != 0) return io_error("start", arguments[0]);

  output.close_end(1);
  errors.close_end(1);
  ProgramEnd out;
  drain(output, out.output, errors, out.errors);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return io_error("wait for", arguments[0]);
  }
  out.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return out;
}

std::int64_t unix_us_now() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t monotonic_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

std::string utc_from_unix_us(std::int64_t unix_us) {
  const auto seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  char out[48];
  std::snprintf(out, sizeof out, "%s.%03dZ", day, static_cast<int>(unix_us / 1000 % 1000));
  return out;
}

std::string utc_now() { return utc_from_unix_us(unix_us_now()); }

std::string process_note() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return "pid " + std::to_string(::getpid()) + " on host " + host;
}

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

Result<std::uint64_t> available_memory_bytes() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  for (std::string unit; in >> key >> kib; std::getline(in, unit)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return Error{Code::unsupported, "this system does not say how much memory is free"};
}

Result<std::uint64_t> peak_memory_bytes_of(std::int64_t process_id) {
  std::ifstream in("/proc/" + std::to_string(process_id) + "/status");
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("VmHWM:", 0) == 0) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return Error{Code::unsupported,
               "this system does not say what process " + std::to_string(process_id) + " holds"};
}

void survive_file_size_limit() { ::signal(SIGXFSZ, SIG_IGN); }
std::optional<SharedLibrary> SharedLibrary::open(const std::string& name) {
  void* const handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  return handle == nullptr ? std::nullopt : std::optional(SharedLibrary(handle));
}

void* SharedLibrary::symbol(const char* name) const { return ::dlsym(handle_, name); }

void on_interrupt(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

void leave_now(int exit_code) { ::_exit(exit_code); }

std::filesystem::path executable_path() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed);
}

}  // namespace promptsweep
