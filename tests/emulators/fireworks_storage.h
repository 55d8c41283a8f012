// SPDX-License-Identifier: Apache-2.0
// The object store behind Fireworks' signed URLs. It listens on a port, and so an origin, of its
// own.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "service.h"

namespace promptsweep::emulator {

using StoredFile = std::shared_ptr<const std::string>;

class Storage {
 public:
  explicit Storage(World world) : world_(world) {}
  void set_port(std::uint16_t port) { port_ = port; }
  std::uint16_t port() const { return port_; }

  std::string get_url(const std::string& path, StoredFile file);
  // `token` becomes the key of received().
  std::string put_url(const std::string& path, std::uint64_t size, std::string& token);
  // The bytes that a PUT brought, or nothing.
  StoredFile received(const std::string& token) const;

  static std::string route(const Request& request);  // storage_get, storage_put, ""
  Reply handle(const Request& request, const std::string& route, const Strike& strike);

 private:
  struct Url {
    bool put;
    std::string path;
    std::uint64_t size;
    std::chrono::steady_clock::time_point expires;
    StoredFile file;
  };
  std::string sign(Url url, std::string& token);
  Reply put(Url& url, const Request& request);

  World world_;
  std::uint16_t port_ = 0;
  std::uint64_t next_ = 0;
  std::map<std::string, Url> urls_;
};

Reply xml_error(int status, const std::string& code, const std::string& message);

}  // namespace promptsweep::emulator
