// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on the loopback address, where every byte of a reply can go astray on purpose. All of it
// runs on the one thread that runs the io_context.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace promptsweep::emulator {

using Milliseconds = std::chrono::milliseconds;
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method, path, query, body;  // path is not percent-decoded
  Headers headers;
  std::uint16_t port = 0;  // at which it came in

  const std::string* header(std::string_view name) const;  // any case; nullptr: absent
  std::string query_value(std::string_view name) const;    // percent-decoded; "": absent
};

// How the bytes of a reply leave.
enum class Delivery {
  whole,
  reset_before,    // none of them: the connection is reset
  reset_within,    // half of the body, then a reset
  cut,             // half of the body of the announced length, then an orderly close
  half_no_length,  // half of the body, its length not announced, then an orderly close
  drip,            // the body byte by byte, `interval` apart
  split,           // the body in pieces of a few bytes
};

struct Reply {
  int status = 200;
  Headers headers;  // without lengths
  std::string content_type = "application/json; charset=utf-8";
  std::string body;
  std::vector<std::string> chunks;  // the body of a stream, sent as a chunked body
  bool stream = false;
  Delivery delivery = Delivery::whole;
  Milliseconds delay{0};     // before the first byte
  Milliseconds interval{0};  // of Delivery::drip
};

// One request and its reply. The reply may come at any later time.
class Exchange {
 public:
  virtual ~Exchange() = default;
  const Request& request() const { return request_; }
  // Exactly once. Without effect when the client has left.
  void send(Reply reply);
  // Changes the reply on its way out.
  void alter(std::function<void(Reply&)> change) { change_ = std::move(change); }
  bool gone() const { return gone_; }  // the client closed the connection
  void on_gone(std::function<void()> call) { on_gone_ = std::move(call); }
  void on_sent(std::function<void(int status)> call) { on_sent_ = std::move(call); }

 protected:
  virtual void write(Reply reply) = 0;
  void client_left();

  Request request_;
  bool answered_ = false, gone_ = false;
  std::function<void(Reply&)> change_;
  std::function<void()> on_gone_;
  std::function<void(int)> on_sent_;
};
using ExchangePtr = std::shared_ptr<Exchange>;

class HttpServer {
 public:
  using Handler = std::function<void(ExchangePtr)>;

  // Port 0: any. Throws boost::system::system_error when the port cannot be had.
  HttpServer(boost::asio::io_context& io, std::uint16_t port, Handler handler);
  ~HttpServer();
  std::uint16_t port() const;
  // New connections are refused for so long.
  void refuse_for(Milliseconds time);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// Calls `call` after `time`; at once, from within, when it is zero.
void after(boost::asio::io_context& io, Milliseconds time, std::function<void()> call);

std::string percent_decoded(std::string_view text);

}  // namespace promptsweep::emulator
