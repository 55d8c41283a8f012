// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <promptsweep/backend.hpp>

#include "event_loop.h"

namespace psw {
namespace http {
namespace {

constexpr std::size_t most_events = 256;  // of one wait; more come with the next

std::uint64_t tag(int socket, std::uint32_t number) {
  return std::uint64_t(number) << 32 | std::uint32_t(socket);
}

std::uint32_t events_of(int wanted) {
  return ((wanted & CURL_POLL_IN) != 0 ? std::uint32_t(EPOLLIN) : 0) |
         ((wanted & CURL_POLL_OUT) != 0 ? std::uint32_t(EPOLLOUT) : 0);
}

// The system counts in milliseconds. Rounded up: a wait that ends before its time is another one.
int milliseconds_until(EventLoop::Time until) {
  if (until == EventLoop::Time::max()) return -1;
  const auto left = until - std::chrono::steady_clock::now();
  if (left.count() <= 0) return 0;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return int(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
}

}  // namespace

EventLoop::EventLoop(OnReady on_ready) : on_ready_(std::move(on_ready)) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event wakes{};
  // On its edge: every write is told once, and nobody has to read what was written.
  wakes.events = EPOLLIN | EPOLLET;
  wakes.data.u64 = tag(event_, 0);
  const bool fine =
      epoll_ >= 0 && event_ >= 0 && ::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &wakes) == 0;
  if (fine) return;
  if (epoll_ >= 0) ::close(epoll_);
  if (event_ >= 0) ::close(event_);
  throw Error(PSW_E_RESOURCE, "no more files can be opened: an HTTP client needs two");
}

EventLoop::~EventLoop() {
  ::close(event_);
  ::close(epoll_);
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  // It fails only where the sum would overflow, after centuries.
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
}

void EventLoop::wait(Time until) {
  std::array<epoll_event, most_events> events;
  const int count =
      ::epoll_wait(epoll_, events.data(), int(most_events), milliseconds_until(until));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[std::size_t(i)];
    const int socket = int(std::uint32_t(event.data.u64));
    if (socket != event_) ready(socket, std::uint32_t(event.data.u64 >> 32), event.events);
  }
}

EventLoop::Watched& EventLoop::at(int socket) {
  const auto index = std::size_t(socket);
  if (index >= watched_.size()) watched_.resize(index + 1);
  return watched_[index];
}

void EventLoop::adopt(int socket) {
  // Should another with this number have been closed without a word, the system has forgotten it.
  Watched& watched = at(socket);
  watched = {watched.number + 1, 0, 0, true};
}

void EventLoop::close(int socket) {
  at(socket) = {at(socket).number + 1, 0, 0, false};
  ::close(socket);
}

void EventLoop::set(int socket, int what) {
  Watched& watched = at(socket);
  if (what == CURL_POLL_REMOVE) {
    watched.wanted = 0;
    // Others, such as the resolver's, are closed without a word.
    if (!watched.adopted) unwatch(socket);
    return;
  }
  watched.wanted = what & (CURL_POLL_IN | CURL_POLL_OUT);
  const std::uint32_t needed = events_of(watched.wanted);
  // Listening for bytes that nobody waits for costs nothing until they come; room to write is
  // there nearly always.
  const bool listens =
      (watched.registered & needed) == needed && (watched.registered & ~needed & EPOLLOUT) == 0;
  if (!listens || !watched.adopted) watch(socket, needed);
}

void EventLoop::watch(int socket, std::uint32_t events) {
  Watched& watched = at(socket);
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag(socket, watched.number);
  int done =
      ::epoll_ctl(epoll_, watched.registered != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  // A number that was closed without a word may be in use again.
  if (done != 0 && errno == ENOENT) done = ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  if (done != 0 && errno == EEXIST) done = ::epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event);
  // Where it fails the socket is never ready, and the deadline ends what waits for it.
  watched.registered = done == 0 ? events : 0;
}

void EventLoop::unwatch(int socket) {
  Watched& watched = at(socket);
  if (watched.registered == 0) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);  // fails where it is closed: as good
  watched.registered = 0;
}

void EventLoop::ready(int socket, std::uint32_t number, std::uint32_t events) {
  const Watched& watched = at(socket);
  if (watched.number != number) return;
  // The end of a connection is both: libcurl learns of it by reading or writing.
  constexpr std::uint32_t end = EPOLLHUP | EPOLLERR;
  const bool in = (events & (EPOLLIN | end)) != 0 && (watched.wanted & CURL_POLL_IN) != 0;
  const bool out = (events & (EPOLLOUT | end)) != 0 && (watched.wanted & CURL_POLL_OUT) != 0;
  if (in || out) {
    on_ready_(socket, (in ? CURL_CSELECT_IN : 0) | (out ? CURL_CSELECT_OUT : 0));
    return;
  }
  // Nobody waits for this, such as the end of an idle connection: not to be told again and again.
  unwatch(socket);
  if (watched.wanted != 0) watch(socket, events_of(watched.wanted));
}

}  // namespace http
}  // namespace psw
