// SPDX-License-Identifier: Apache-2.0
// A child of ours and the socket to it. child_process_posix.cc is the one file that calls the
// operating system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "host/types.h"

namespace promptsweep::host {

// One end of a stream socket. send() may be called from several threads, each call whole.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  // False: the other side is gone.
  bool send(std::string_view bytes);
  // Goes with the next send(): for what is of no use alone.
  void send_later(std::string_view bytes);
  // Appends what is there, waiting for a first byte. False: the other side is gone.
  bool receive(std::string& bytes);
  void adopt(int descriptor) { descriptor_ = descriptor; }
  int descriptor() const { return descriptor_; }

 private:
  bool send_locked(std::string_view bytes);

  int descriptor_;
  std::mutex send_mutex_;
  std::string later_;  // guarded by send_mutex_
};

// Starts a program with the socket as its descriptor 3, standard input empty, standard output and
// error in a pipe, every other descriptor closed, its own process group, no inherited signal mask
// and the environment given. (Not the parent-death signal: it fires when the starting *thread*
// ends. The socket's end of file is the life line.)
class ChildProcess {
 public:
  enum class Event { message, output, closed };

  ChildProcess() = default;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // kills what is left

  CallStatus start(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment);
  Socket& socket() { return socket_; }
  std::int64_t pid() const { return pid_; }

  // Waits for something from the child: bytes of the socket (into `bytes`), bytes of its output,
  // or the socket's end. One thread.
  Event wait(std::string& bytes);
  // What is left in the output pipe, without waiting.
  std::string drain_output();

  // Tells the child that no more will come (it ends itself).
  void hang_up();
  // Kills the whole group at once. Harmless after the child has ended.
  void kill();
  // Waits up to `grace_ms` for the end, then kills; takes the exit status, once. Returns how it
  // ended: "killed by signal 9 (Killed)", "exited with status 3".
  std::string reap(std::uint32_t grace_ms);

 private:
  Socket socket_;
  int output_ = -1;
  std::int64_t pid_ = -1;
  std::mutex reap_mutex_;  // guards reaped_: a pid may be signalled only before it is reaped
  bool reaped_ = false;
};

// Of this process's environment, what a host process gets: what finds programs and libraries, the
// locale, temporary folders, device and thread settings, sanitizer options. Never a secret.
std::vector<std::string> clean_environment();

// In the host process: takes over descriptor 3. False: it is no socket, so somebody started the
// program by hand.
bool adopt_host_socket(Socket& socket);
// In the host process: under memory pressure the system takes the host before the program.
void offer_to_out_of_memory_killer();
// Ends the process without running destructors of libraries that may still have threads.
[[noreturn]] void leave(int status);

// This program's own file.
std::filesystem::path this_program();

}  // namespace promptsweep::host
