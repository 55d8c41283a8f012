// SPDX-License-Identifier: Apache-2.0
//
// An HTTP server on the loopback interface that does what a test tells it to, request by request:
// answers, drops, resets, cuts, drips, keeps silent.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct Got {  // a request as it came
  std::string method, target, body;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  int connection = 0;                                        // number of the connection, from 1
  int number = 0;                                            // of the request, from 1

  const std::string* header(std::string_view lower_case_name) const;
};

struct Answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds delay{0};
  enum End {
    keep,    // the connection
    close,   // it, after what is sent
    reset,   // it (RST), after what is sent
    silent,  // never answer
  } end = keep;
  // Only so many bytes of the answer are sent; -1: all.
  long bytes = -1;
  std::chrono::milliseconds between_bytes{0};  // 0: at once
  bool announces_length = true;
  std::function<void()> before_sent;  // after the delay
  std::string raw;                    // instead of status, headers and body
};

class ScriptedServer {
 public:
  using Script = std::function<Answer(const Got&)>;  // on the server's thread

  // A certificate and its key as PEM: TLS.
  explicit ScriptedServer(Script script, std::string certificate_pem = {},
                          std::string key_pem = {});
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url(std::string_view target = "/", std::string_view host = "127.0.0.1") const;
  int port() const;
  int connections() const;
  std::vector<Got> requests() const;
  int request_count() const;

  class Loop;

 private:
  std::shared_ptr<Loop> loop_;
};

// A self-signed certificate for 127.0.0.1 and localhost, and its key, as PEM.
std::pair<std::string, std::string> self_signed_certificate();
