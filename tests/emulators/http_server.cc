// SPDX-License-Identifier: Apache-2.0
#include "http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

namespace promptsweep::emulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string head_of(const Reply& reply, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head += std::string(http::obsolete_reason(static_cast<http::status>(reply.status)));
  head += "\r\n";
  if (!reply.content_type.empty()) head += "Content-Type: " + reply.content_type + "\r\n";
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  if (reply.delivery == Delivery::half_no_length)
    keep_alive = false;
  else if (reply.stream)
    head += "Transfer-Encoding: chunked\r\n";
  else
    head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  if (!keep_alive) head += "Connection: close\r\n";
  return head + "\r\n";
}

// The body as it goes over the wire.
std::string wire_body(const Reply& reply) {
  if (!reply.stream) return reply.body;
  std::string body;
  for (const std::string& chunk : reply.chunks) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    body.append(size).append(chunk).append("\r\n");
  }
  return body + "0\r\n\r\n";
}

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::uint16_t port, HttpServer::Handler& handler)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), port_(port), handler_(handler) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(std::uint64_t{1} << 40);  // none at all means zero to Boost 1.74
    http::async_read_header(socket_, buffer_, *parser_,
                            [self = shared_from_this()](error_code e, std::size_t) {
                              if (!e) self->read_body();
                            });
  }

  void write(Reply reply) {
    if (reply.delay.count() > 0) {
      const Milliseconds delay = std::exchange(reply.delay, Milliseconds(0));
      timer_.expires_after(delay);
      timer_.async_wait([self = shared_from_this(), reply](error_code) { self->write(reply); });
      return;
    }
    if (reply.delivery == Delivery::reset_before) return reset();
    out_ = head_of(reply, keep_alive_);
    if (reply.delivery == Delivery::half_no_length) reply.stream = false;
    std::string body = is_head_ ? "" : wire_body(reply);
    switch (reply.delivery) {
      case Delivery::reset_within:
      case Delivery::cut:
      case Delivery::half_no_length:
        out_ += body.substr(0, body.size() / 2);
        return write_out([self = shared_from_this(), way = reply.delivery] {
          way == Delivery::reset_within ? self->reset_soon() : self->close();
        });
      case Delivery::drip:
      case Delivery::split:
        rest_ = std::move(body);
        interval_ = reply.interval;
        at_ = 0;
        return write_out([self = shared_from_this(), way = reply.delivery] {
          self->write_piece(way == Delivery::drip ? 1 : 0);
        });
      default:
        out_ += body;
        write_out([self = shared_from_this()] { self->next(); });
    }
  }

 private:
  friend class ConnectionExchange;

  void read_body() {
    if (parser_->is_done()) return handle();
    const auto rest = [self = shared_from_this()] {
      http::async_read(self->socket_, self->buffer_, *self->parser_,
                       [self](error_code e, std::size_t) {
                         if (!e) self->handle();
                       });
    };
    if (parser_->get().find(http::field::expect) == parser_->get().end()) return rest();
    out_ = "HTTP/1.1 100 Continue\r\n\r\n";
    write_out(rest);
  }

  void handle();
  void watch();

  template <typename Then>
  void write_out(Then then) {
    asio::async_write(
        socket_, asio::buffer(out_),
        [self = shared_from_this(), then = std::move(then)](error_code e, std::size_t) {
          if (!e) then();
        });
  }

  // size 0: pieces of 1 to 7 bytes, so that objects and characters are cut at odd places.
  void write_piece(std::size_t size) {
    if (at_ >= rest_.size()) return next();
    const std::size_t piece = size ? size : 1 + (at_ * 5 + 3) % 7;
    out_ = rest_.substr(at_, piece);
    at_ += out_.size();
    timer_.expires_after(interval_);
    timer_.async_wait([self = shared_from_this(), size](error_code) {
      self->write_out([self, size] { self->write_piece(size); });
    });
  }

  void next() {
    handling_.reset();
    keep_alive_ ? read() : close();
  }

  void close() {
    error_code ignored;
    handling_.reset();
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    // What the client still sends is read, so that the close is orderly and no reset.
    drain();
  }

  void drain() {
    socket_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](error_code e, std::size_t) {
                              if (!e) self->drain();
                            });
  }

  void reset() {
    error_code ignored;
    handling_.reset();
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
  }

  void reset_soon() {  // time for the client to see the bytes that came before
    timer_.expires_after(Milliseconds(5));
    timer_.async_wait([self = shared_from_this()](error_code) { self->reset(); });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  std::uint16_t port_;
  HttpServer::Handler& handler_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  ExchangePtr handling_;
  std::string out_, rest_;
  std::size_t at_ = 0;
  Milliseconds interval_{0};
  bool keep_alive_ = true, is_head_ = false, watching_ = false;
};

class ConnectionExchange final : public Exchange {
 public:
  ConnectionExchange(std::shared_ptr<Connection> connection, Request request)
      : connection_(std::move(connection)) {
    request_ = std::move(request);
  }
  void leave() { client_left(); }

 protected:
  void write(Reply reply) override { connection_->write(std::move(reply)); }

 private:
  std::shared_ptr<Connection> connection_;
};

void Connection::handle() {
  auto message = parser_->release();
  Request request;
  request.port = port_;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  keep_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  handling_ = std::make_shared<ConnectionExchange>(shared_from_this(), std::move(request));
  watch();
  const ExchangePtr exchange = handling_;
  handler_(exchange);
}

// Notices a client that leaves while its request is served.
void Connection::watch() {
  if (watching_) return;
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_read, [weak = weak_from_this()](error_code e) {
    const auto self = weak.lock();
    if (!self) return;
    self->watching_ = false;
    if (!self->handling_) return;
    error_code failure;
    if (e || self->socket_.available(failure) == 0) {
      const ExchangePtr exchange = std::move(self->handling_);
      static_cast<ConnectionExchange&>(*exchange).leave();
    }
  });
}

}  // namespace

const std::string* Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return &value;
  }
  return nullptr;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string Request::query_value(std::string_view name) const {
  for (std::size_t begin = 0; begin < query.size();) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view part = std::string_view(query).substr(begin, end - begin);
    const std::size_t equals = part.find('=');
    if (part.substr(0, equals) == name && equals != std::string_view::npos) {
      return percent_decoded(part.substr(equals + 1));
    }
    begin = end + 1;
  }
  return "";
}

void Exchange::send(Reply reply) {
  if (answered_) return;
  answered_ = true;
  on_gone_ = nullptr;
  if (change_) change_(reply);
  if (on_sent_) std::exchange(on_sent_, nullptr)(reply.status);
  if (!gone_) write(std::move(reply));
}

void Exchange::client_left() {
  gone_ = true;
  if (on_gone_) std::exchange(on_gone_, nullptr)();
  if (on_sent_) std::exchange(on_sent_, nullptr)(0);
}

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, std::uint16_t port, Handler handler)
      : io_(io), acceptor_(io), timer_(io), handler_(std::move(handler)) {
    endpoint_ = tcp::endpoint(asio::ip::address_v4::loopback(), port);
    listen();
    endpoint_ = acceptor_.local_endpoint();
  }

  void listen() {
    acceptor_.open(tcp::v4());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint_);
    acceptor_.listen(4096);
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code e, tcp::socket socket) {
      if (e == asio::error::operation_aborted || !self->acceptor_.is_open()) return;
      if (!e)
        std::make_shared<Connection>(std::move(socket), self->endpoint_.port(), self->handler_)
            ->read();
      self->accept();
    });
  }

  void refuse_for(Milliseconds time) {
    if (!acceptor_.is_open()) return;
    acceptor_.close();
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this()](error_code e) {
      if (e) return;
      self->listen();
      self->accept();
    });
  }

  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
  }

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  Handler handler_;
  tcp::endpoint endpoint_;
};

HttpServer::HttpServer(asio::io_context& io, std::uint16_t port, Handler handler)
    : impl_(std::make_shared<Impl>(io, port, std::move(handler))) {
  impl_->accept();
}
HttpServer::~HttpServer() { impl_->close(); }
std::uint16_t HttpServer::port() const { return impl_->endpoint_.port(); }
void HttpServer::refuse_for(Milliseconds time) { impl_->refuse_for(time); }

void after(asio::io_context& io, Milliseconds time, std::function<void()> call) {
  if (time.count() <= 0) return call();
  auto timer = std::make_shared<asio::steady_timer>(io, time);
  timer->async_wait([timer, call = std::move(call)](error_code e) {
    if (!e) call();
  });
}

}  // namespace promptsweep::emulator
