// SPDX-License-Identifier: Apache-2.0
//
// Where the thread behind a Client sleeps: until one of libcurl's sockets is ready, a time has come
// or another thread wakes it. Sockets of connections stay registered with the system for as long
// as they are open, so that the next request on a kept connection costs no registration.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace psw {
namespace http {

class EventLoop {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using OnReady = std::function<void(int socket, int flags)>;  // CURL_CSELECT_ flags

  // Throws psw::Error (PSW_E_RESOURCE).
  explicit EventLoop(OnReady on_ready);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Ends the wait under way, or else the next one. Any thread; the rest is for one thread.
  void wake();

  // Sleeps at most until `until`, then tells of every socket that is ready.
  void wait(Time until);
  // The socket belongs to a connection: libcurl says when it is to be closed.
  void adopt(int socket);
  // `what`: CURL_POLL_ values.
  void set(int socket, int what);
  // Closes the socket.
  void close(int socket);

 private:
  struct Watched {
    std::uint32_t number = 0;      // of those that had this descriptor, so that none gets the
                                   // events of the one before
    std::uint32_t registered = 0;  // EPOLL events; 0: the system does not watch it
    int wanted = 0;                // CURL_POLL_IN | CURL_POLL_OUT
    bool adopted = false;
  };

  Watched& at(int socket);
  void watch(int socket, std::uint32_t events);
  void unwatch(int socket);
  void ready(int socket, std::uint32_t number, std::uint32_t events);

  const OnReady on_ready_;
  int epoll_ = -1, event_ = -1;
  std::vector<Watched> watched_;  // by descriptor
};

}  // namespace http
}  // namespace psw
