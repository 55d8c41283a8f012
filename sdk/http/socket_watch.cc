// SPDX-License-Identifier: Apache-2.0
#include "socket_watch.h"

#include <curl/curl.h>

namespace psw {
namespace http {

struct SocketWatch::Watched {
  explicit Watched(boost::asio::io_context& io) : descriptor(io) {}
  boost::asio::posix::stream_descriptor descriptor;
  int socket = -1;
  int wanted = 0;  // CURL_POLL_IN | CURL_POLL_OUT
  bool adopted = false;
  bool reads = false, writes = false;  // a wait is under way
  bool gone = false;
};

SocketWatch::SocketWatch(boost::asio::io_context& io, std::function<void(int, int)> on_ready)
    : io_(io), on_ready_(std::move(on_ready)) {}

SocketWatch::Shared& SocketWatch::find_or_add(int socket) {
  Shared& watched = watched_[socket];
  if (!watched) {
    watched = std::make_shared<Watched>(io_);
    watched->socket = socket;
    boost::system::error_code ignored;  // then it is never ready, and the deadline ends it
    watched->descriptor.assign(socket, ignored);
  }
  return watched;
}

void SocketWatch::forget(int socket) {
  const auto found = watched_.find(socket);
  if (found == watched_.end()) return;
  found->second->gone = true;
  if (found->second->descriptor.is_open()) found->second->descriptor.release();
  watched_.erase(found);
}

void SocketWatch::adopt(int socket) {
  forget(socket);  // should another with this number have been closed without a word
  find_or_add(socket)->adopted = true;
}

void SocketWatch::close(int socket) {
  const Shared watched = find_or_add(socket);
  watched->gone = true;
  watched_.erase(socket);
  boost::system::error_code ignored;
  watched->descriptor.close(ignored);
}

void SocketWatch::set(int socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    const auto found = watched_.find(socket);
    if (found == watched_.end()) return;
    found->second->wanted = 0;
    // Others, such as the resolver's, are closed without a word.
    if (!found->second->adopted) forget(socket);
    return;
  }
  const int wanted = what & (CURL_POLL_IN | CURL_POLL_OUT);
  Shared& watched = find_or_add(socket);
  const bool wrote = (watched->wanted & CURL_POLL_OUT) != 0;
  if (wrote && (wanted & CURL_POLL_OUT) == 0) {
    // Asio goes on listening for room to write once it was asked to, which wakes the loop for
    // nothing at every later wait. A new registration does not.
    const bool adopted = watched->adopted;
    forget(socket);
    find_or_add(socket)->adopted = adopted;
  }
  const Shared current = find_or_add(socket);
  current->wanted = wanted;
  wait(current);
}

void SocketWatch::wait(const Shared& watched) {
  using Descriptor = boost::asio::posix::stream_descriptor;
  if ((watched->wanted & CURL_POLL_IN) != 0 && !watched->reads) {
    watched->reads = true;
    watched->descriptor.async_wait(Descriptor::wait_read,
                                   [this, watched](boost::system::error_code error) {
                                     watched->reads = false;
                                     if (!error) ready(watched, CURL_CSELECT_IN);
                                   });
  }
  if ((watched->wanted & CURL_POLL_OUT) != 0 && !watched->writes) {
    watched->writes = true;
    watched->descriptor.async_wait(Descriptor::wait_write,
                                   [this, watched](boost::system::error_code error) {
                                     watched->writes = false;
                                     if (!error) ready(watched, CURL_CSELECT_OUT);
                                   });
  }
}

void SocketWatch::ready(const Shared& watched, int flags) {
  const int needed = flags == CURL_CSELECT_IN ? CURL_POLL_IN : CURL_POLL_OUT;
  if (watched->gone || (watched->wanted & needed) == 0) return;
  on_ready_(watched->socket, flags);
  if (!watched->gone) wait(watched);
}

}  // namespace http
}  // namespace psw
