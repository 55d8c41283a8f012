// SPDX-License-Identifier: Apache-2.0
//
// Tells libcurl which of its sockets are ready. Sockets of connections stay registered with the
// event loop for as long as they are open, so that the next request on a kept connection costs no
// registration.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>  // Boost 1.74's Asio needs it in C++20

namespace psw {
namespace http {

class SocketWatch {
 public:
  // `on_ready` gets a socket and CURL_CSELECT_ flags.
  SocketWatch(boost::asio::io_context& io, std::function<void(int, int)> on_ready);

  // The socket belongs to a connection: libcurl says when it is to be closed.
  void adopt(int socket);
  // `what`: CURL_POLL_ values.
  void set(int socket, int what);
  // Closes the socket.
  void close(int socket);

 private:
  struct Watched;
  using Shared = std::shared_ptr<Watched>;

  Shared& find_or_add(int socket);
  void wait(const Shared& watched);
  void ready(const Shared& watched, int flags);
  void forget(int socket);

  boost::asio::io_context& io_;
  std::function<void(int, int)> on_ready_;
  std::unordered_map<int, Shared> watched_;
};

}  // namespace http
}  // namespace psw
