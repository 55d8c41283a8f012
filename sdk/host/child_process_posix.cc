// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "host/child_process.h"
#include "host/wire.h"

extern char** environ;

namespace promptsweep::host {
namespace {

constexpr std::size_t read_bytes = 256u << 10;

void close_if_open(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// Appends one read's worth. False: end of file, or broken.
bool read_some(int descriptor, std::string& bytes) {
  const std::size_t before = bytes.size();
  bytes.resize(before + read_bytes);
  ssize_t n = -1;
  do {
    n = ::read(descriptor, bytes.data() + before, read_bytes);
  } while (n < 0 && errno == EINTR);
  bytes.resize(before + (n > 0 ? static_cast<std::size_t>(n) : 0));
  return n > 0;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// The two ends that a starting child needs, closed here in any case.
struct ChildEnds {
  int socket = -1, output = -1;
  ~ChildEnds() {
    close_if_open(socket);
    close_if_open(output);
  }
};

int spawn(pid_t* pid, const std::string& program, const std::vector<std::string>& arguments,
          const std::vector<std::string>& environment, const ChildEnds& ends) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends.output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends.output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends.socket, host_socket);
  posix_spawn_file_actions_addclosefrom_np(&actions, host_socket + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> argument_texts = {program};
  argument_texts.insert(argument_texts.end(), arguments.begin(), arguments.end());
  const int failed = ::posix_spawn(pid, program.c_str(), &actions, &attributes,
                                   pointers(argument_texts).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

std::string describe_end(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "exited with status " + std::to_string(info.si_status);
  const char* name = ::strsignal(info.si_status);
  return "killed by signal " + std::to_string(info.si_status) + " (" + (name ? name : "?") + ")";
}

}  // namespace

Socket::~Socket() { close_if_open(descriptor_); }

void Socket::send_later(std::string_view bytes) {
  std::lock_guard<std::mutex> lock(send_mutex_);
  later_.append(bytes);
}

bool Socket::send(std::string_view bytes) {
  std::lock_guard<std::mutex> lock(send_mutex_);
  if (!later_.empty()) {
    later_.append(bytes);
    bytes = later_;
  }
  const bool sent = send_locked(bytes);
  later_.clear();
  return sent;
}

bool Socket::send_locked(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool Socket::receive(std::string& bytes) { return read_some(descriptor_, bytes); }

ChildProcess::~ChildProcess() {
  if (pid_ > 0) reap(0);
  close_if_open(output_);
}

CallStatus ChildProcess::start(const std::filesystem::path& program,
                               const std::vector<std::string>& arguments,
                               const std::vector<std::string>& environment) {
  std::array<int, 2> sockets{-1, -1}, output{-1, -1};
  ChildEnds ends;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0) {
    socket_.adopt(sockets[0]);
    ends.socket = sockets[1];
  }
  if (::pipe2(output.data(), O_CLOEXEC) == 0) {
    output_ = output[0];
    ends.output = output[1];
    ::fcntl(output_, F_SETFL, O_NONBLOCK);
  }
  if (ends.socket < 0 || ends.output < 0) {
    return CallStatus::failure(PSW_E_RESOURCE,
                               std::string("cannot make a socket: ") + std::strerror(errno));
  }
  // The low numbers are about to be overwritten in the child; its ends must lie above them.
  for (int* end : {&ends.socket, &ends.output}) {
    if (*end > host_socket) continue;
    const int moved = ::fcntl(*end, F_DUPFD_CLOEXEC, host_socket + 1);
    ::close(std::exchange(*end, moved));
  }
  pid_t pid = -1;
  const int failed = spawn(&pid, program.string(), arguments, environment, ends);
  if (failed != 0) {
    return CallStatus::failure(PSW_E_RESOURCE,
                               "cannot start " + program.string() + ": " + std::strerror(failed));
  }
  pid_ = pid;
  return {};
}

ChildProcess::Event ChildProcess::wait(std::string& bytes) {
  for (;;) {
    pollfd waiting[2] = {{socket_.descriptor(), POLLIN, 0}, {output_, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return Event::closed;
    }
    if (waiting[0].revents != 0) {
      return read_some(socket_.descriptor(), bytes) ? Event::message : Event::closed;
    }
    if (waiting[1].revents != 0) {
      if (read_some(output_, bytes)) return Event::output;
      close_if_open(output_);  // the child closed its output; poll ignores a negative descriptor
    }
  }
}

std::string ChildProcess::drain_output() {
  std::string bytes;
  while (output_ >= 0 && read_some(output_, bytes)) {
  }
  return bytes;
}

void ChildProcess::hang_up() { ::shutdown(socket_.descriptor(), SHUT_WR); }

void ChildProcess::kill() {
  std::lock_guard<std::mutex> lock(reap_mutex_);
  if (pid_ > 0 && !reaped_) ::kill(-static_cast<pid_t>(pid_), SIGKILL);
}

std::string ChildProcess::reap(std::uint32_t grace_ms) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(grace_ms);
  siginfo_t info{};
  for (;;) {
    // Look without taking the status: as long as it is not taken, the group's number is ours.
    info.si_pid = 0;
    {
      std::lock_guard<std::mutex> lock(reap_mutex_);
      if (reaped_) return "ended before";
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG);
    }
    if (info.si_pid != 0) break;
    if (Clock::now() >= end) kill();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill();  // grandchildren that outlived it
  std::lock_guard<std::mutex> lock(reap_mutex_);
  if (!reaped_) ::waitpid(static_cast<pid_t>(pid_), nullptr, 0);
  reaped_ = true;
  return describe_end(info);
}

std::vector<std::string> clean_environment() {
  constexpr std::string_view whole[] = {
      "PATH",           "HOME",         "USER",   "LANG",
      "LANGUAGE",       "TZ",           "TMPDIR", "LD_LIBRARY_PATH",
      "XDG_CACHE_HOME", "XDG_DATA_HOME"};
  constexpr std::string_view beginnings[] = {"LC_",   "CUDA_",     "NVIDIA_", "OMP_",  "GOMP_",
                                             "KMP_",  "OPENBLAS_", "MKL_",    "GGML_", "ASAN_",
                                             "TSAN_", "UBSAN_",    "LSAN_"};
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    bool allowed = false;
    for (const std::string_view w : whole) allowed = allowed || name == w;
    for (const std::string_view b : beginnings) allowed = allowed || name.substr(0, b.size()) == b;
    if (allowed) out.emplace_back(text);
  }
  return out;
}

bool adopt_host_socket(Socket& socket) {
  struct stat status {};
  if (::fstat(host_socket, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  ::fcntl(host_socket, F_SETFD, FD_CLOEXEC);
  socket.adopt(host_socket);
  return true;
}

void offer_to_out_of_memory_killer() {
  const int descriptor = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  // A failure leaves the default, which is as good as before.
  [[maybe_unused]] const ssize_t written = ::write(descriptor, "1000", 4);
  ::close(descriptor);
}

void leave(int status) { ::_exit(status); }

std::filesystem::path this_program() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed);
}

}  // namespace promptsweep::host
