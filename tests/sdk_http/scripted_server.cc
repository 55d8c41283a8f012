// SPDX-License-Identifier: Apache-2.0
#include "sdk_http/scripted_server.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <cctype>
#include <mutex>
#include <thread>

namespace asio = boost::asio;
using asio::ip::tcp;
using Error = boost::system::error_code;

const std::string* Got::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

class ScriptedServer::Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(Script script, const std::string& certificate, const std::string& key)
      : script_(std::move(script)), acceptor_(io_, {asio::ip::address_v4::loopback(), 0}, true) {
    acceptor_.listen(4096);
    if (certificate.empty()) return;
    tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    tls_->use_certificate_chain(asio::buffer(certificate));
    tls_->use_private_key(asio::buffer(key), asio::ssl::context::pem);
  }
  void begin() {
    port_ = acceptor_.local_endpoint().port();
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  void end() {
    io_.stop();
    thread_.join();
  }

  Answer answer(Got got) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      got.number = int(requests_.size()) + 1;
      requests_.push_back(got);
    }
    return script_(got);
  }
  asio::io_context& io() { return io_; }
  bool tls() const { return tls_ != nullptr; }
  int port() const { return port_; }

  mutable std::mutex mutex_;  // guards the next two
  std::vector<Got> requests_;
  int connections_ = 0;

 private:
  void accept();

  Script script_;
  asio::io_context io_;
  std::unique_ptr<asio::ssl::context> tls_;
  tcp::acceptor acceptor_;
  int port_ = 0;
  std::thread thread_;
};

namespace {

template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <class... Args>
  Session(ScriptedServer::Loop& loop, int number, Args&&... args)
      : loop_(loop), stream_(std::forward<Args>(args)...), timer_(loop.io()) {
    number_ = number;
    stream_.lowest_layer().set_option(tcp::no_delay(true));
  }

  void read() {
    auto self = this->shared_from_this();
    asio::async_read_until(stream_, asio::dynamic_buffer(in_), "\r\n\r\n",
                           [self](Error error, std::size_t size) {
                             if (!error) self->read_body(size);
                           });
  }
  Stream& stream() { return stream_; }

 private:
  void read_body(std::size_t head_size) {
    got_ = parse(in_.substr(0, head_size));
    got_.connection = number_;
    in_.erase(0, head_size);
    const std::string* length = got_.header("content-length");
    const std::size_t size = length ? std::stoul(*length) : 0;
    const std::size_t missing = size > in_.size() ? size - in_.size() : 0;
    auto self = this->shared_from_this();
    asio::async_read(stream_, asio::dynamic_buffer(in_), asio::transfer_exactly(missing),
                     [self, size](Error error, std::size_t) {
                       if (error) return;
                       self->got_.body = self->in_.substr(0, size);
                       self->in_.erase(0, size);
                       self->reply();
                     });
  }

  static Got parse(const std::string& head) {
    Got got;
    const std::size_t first = head.find(' ');
    const std::size_t second = head.find(' ', first + 1);
    got.method = head.substr(0, first);
    got.target = head.substr(first + 1, second - first - 1);
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
      const std::size_t end = head.find("\r\n", at);
      const std::size_t colon = head.find(':', at);
      if (end == at) break;
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
      const std::size_t value = std::min(head.find_first_not_of(' ', colon + 1), end);
      got.headers.emplace_back(name, head.substr(value, end - value));
      at = end + 2;
    }
    return got;
  }

  void reply() {
    answer_ = loop_.answer(got_);
    if (answer_.end == Answer::silent) return wait_for_close();
    timer_.expires_after(answer_.delay);
    timer_.async_wait([self = this->shared_from_this()](Error error) {
      if (error) return;
      if (self->answer_.before_sent) self->answer_.before_sent();
      self->write();
    });
  }

  // A silent server still hears when the client leaves.
  void wait_for_close() {
    asio::async_read(stream_, asio::dynamic_buffer(in_),
                     [self = this->shared_from_this()](Error, std::size_t) {});
  }

  void write() {
    out_ = answer_.raw;
    if (out_.empty()) {
      out_ = "HTTP/1.1 " + std::to_string(answer_.status) + " Scripted\r\n";
      for (const auto& [name, value] : answer_.headers) out_ += name + ": " + value + "\r\n";
      if (answer_.announces_length) {
        out_ += "Content-Length: " + std::to_string(answer_.body.size()) + "\r\n";
      }
      out_ += "\r\n" + (got_.method == "HEAD" ? "" : answer_.body);
    }
    if (answer_.bytes >= 0) out_.resize(std::min(out_.size(), std::size_t(answer_.bytes)));
    written_ = 0;
    write_some();
  }

  void write_some() {
    if (written_ == out_.size()) return finish();
    const bool drips = answer_.between_bytes.count() > 0;
    const std::size_t size = drips ? 1 : out_.size() - written_;
    auto self = this->shared_from_this();
    asio::async_write(stream_, asio::buffer(out_.data() + written_, size),
                      [self, size, drips](Error error, std::size_t) {
                        if (error) return;
                        self->written_ += size;
                        if (!drips) return self->write_some();
                        self->timer_.expires_after(self->answer_.between_bytes);
                        self->timer_.async_wait([self](Error) { self->write_some(); });
                      });
  }

  void finish() {
    if (answer_.end == Answer::keep) return read();
    Error ignored;
    if (answer_.end == Answer::reset) {
      stream_.lowest_layer().set_option(asio::socket_base::linger(true, 0), ignored);
    }
    stream_.lowest_layer().close(ignored);
  }

  ScriptedServer::Loop& loop_;
  Stream stream_;
  asio::steady_timer timer_;
  int number_ = 0;
  std::string in_, out_;
  std::size_t written_ = 0;
  Got got_;
  Answer answer_;
};

}  // namespace

void ScriptedServer::Loop::accept() {
  acceptor_.async_accept([this](Error error, tcp::socket socket) {
    if (error) return;
    int number = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      number = ++connections_;
    }
    if (!tls_) {
      std::make_shared<Session<tcp::socket>>(*this, number, std::move(socket))->read();
    } else {
      using Tls = asio::ssl::stream<tcp::socket>;
      auto session = std::make_shared<Session<Tls>>(*this, number, std::move(socket), *tls_);
      session->stream().async_handshake(asio::ssl::stream_base::server, [session](Error failed) {
        if (!failed) session->read();
      });
    }
    accept();
  });
}

ScriptedServer::ScriptedServer(Script script, std::string certificate, std::string key)
    : loop_(std::make_shared<Loop>(std::move(script), certificate, key)) {
  loop_->begin();
}

ScriptedServer::~ScriptedServer() { loop_->end(); }

int ScriptedServer::port() const { return loop_->port(); }

std::string ScriptedServer::url(std::string_view target, std::string_view host) const {
  return (loop_->tls() ? "https://" : "http://") + std::string(host) + ":" +
         std::to_string(loop_->port()) + std::string(target);
}

int ScriptedServer::connections() const {
  const std::lock_guard<std::mutex> lock(loop_->mutex_);
  return loop_->connections_;
}

std::vector<Got> ScriptedServer::requests() const {
  const std::lock_guard<std::mutex> lock(loop_->mutex_);
  return loop_->requests_;
}

int ScriptedServer::request_count() const {
  const std::lock_guard<std::mutex> lock(loop_->mutex_);
  return int(loop_->requests_.size());
}
