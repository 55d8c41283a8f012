// SPDX-License-Identifier: Apache-2.0
// A running promptsweep-emulator, ended with its object. The test's target defines EMULATOR, the
// program's path.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

class EmulatorProcess {
 public:
  // Arguments behind the program's name: the service, then options. The port is any.
  explicit EmulatorProcess(std::vector<std::string> arguments) {
    std::array<int, 2> out{};
    if (::pipe(out.data()) != 0) throw std::runtime_error("no pipe");
    arguments.insert(arguments.begin(), EMULATOR);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no process");
    if (pid_ == 0) {
      ::dup2(out[1], STDOUT_FILENO);
      ::close(out[0]);
      ::close(out[1]);
      ::execv(EMULATOR, argv.data());
      ::_exit(127);
    }
    ::close(out[1]);
    url_ = read_url(out[0]);
    ::close(out[0]);
    if (url_.empty()) throw std::runtime_error("the emulator did not start");
  }
  EmulatorProcess(const EmulatorProcess&) = delete;
  EmulatorProcess& operator=(const EmulatorProcess&) = delete;
  ~EmulatorProcess() { end(); }

  const std::string& url() const { return url_; }  // http://127.0.0.1:PORT

  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  static std::string read_url(int descriptor) {
    std::string line;
    for (char c = 0; ::read(descriptor, &c, 1) == 1 && c != '\n';) line += c;
    constexpr std::string_view head = "listening ";
    return line.rfind(head, 0) == 0 ? line.substr(head.size()) : "";
  }

  pid_t pid_ = 0;
  std::string url_;
};
