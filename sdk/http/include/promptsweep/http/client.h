// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/http/client.h -- HTTP for backends: one thread drives libcurl's multi interface for
// any number of requests. Connections are reused, HTTP/2 is used where the server offers it, TLS
// certificates are always verified.
//
// A request is *paced* when it counts against the number that may be in flight, which adapts to
// what the server bears (pace.h). It is tried again by the rule of retry.h; while it waits for its
// next try it takes no place in flight.
#ifndef PROMPTSWEEP_HTTP_CLIENT_H_INCLUDED
#define PROMPTSWEEP_HTTP_CLIENT_H_INCLUDED

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace psw {
inline namespace sdk_1_0 {
class Host;
}
namespace http {

using Milliseconds = std::chrono::milliseconds;

struct Header {
  std::string name, value;
};

// Why there is no whole reply. Whatever it is, the server may have acted unless
// Reply::may_have_acted is false.
enum class Failure {
  none,
  resolve,    // no such host
  connect,    // refused or unreachable
  tls,        // handshake or certificate
  reset,      // the connection was lost before the first byte of the reply
  cut,        // it was lost within the reply, or fewer bytes came than announced
  timeout,    // the deadline passed, or the bytes came too slowly
  too_large,  // more than Request::max_reply_bytes
  cancelled,
  local,  // a file or memory of this machine
};
std::string_view to_string(Failure failure);

struct Reply {
  Failure failure = Failure::none;
  std::string failure_text;  // one sentence, without secrets; empty where failure is none
  int status = 0;            // 0 where no status line came
  std::vector<Header> headers;
  std::string body;             // empty where Request::save_to took a reply of status 2xx
  bool may_have_acted = false;  // bytes of the request left this machine
  std::uint32_t attempts = 0;   // how often it was sent, or tried to be
  // Of the last attempt. Wall-clock times, and the time from sending on.
  std::int64_t started_unix_us = 0, finished_unix_us = 0;
  double queue_ms = 0;  // from start() until the last attempt was sent
  double first_byte_ms = 0, total_ms = 0;

  bool arrived() const { return failure == Failure::none; }
  bool good() const { return arrived() && status >= 200 && status < 300; }
  const std::string* header(std::string_view name) const;  // any case; nullptr: absent
};

// What becomes of an attempt.
struct Verdict {
  enum Kind {
    done,   // this is the reply
    again,  // try again, while attempts are left; else this is the reply
  };
  Kind kind = done;
  std::optional<Milliseconds> after;  // else backoff() of retry.h
  bool congested = false;             // the server has too much to do: fewer in flight
};

struct Part {  // of multipart/form-data
  std::string name, filename, content_type;
  std::string body;            // or
  std::filesystem::path file;  // streamed
};

struct Request {
  std::string method = "GET";
  std::string url;  // percent-encoded already, sent as it is
  std::vector<Header> headers;
  // Name of the secret that is sent as "Authorization: Bearer ..."; empty: none. Redirects are not
  // followed, so that it never reaches another host.
  std::string secret;
  // At most one of these three. An upload from a file is rewound before it is sent again, and its
  // Content-Length is always sent.
  std::string body;
  std::filesystem::path body_file;
  std::vector<Part> parts;
  // A reply of status 2xx is streamed to this file (written beside it, renamed when whole).
  std::filesystem::path save_to;

  Milliseconds deadline{600'000};  // of one attempt
  // Less than a byte a second for this long ends the attempt. Only for what streams: a server that
  // computes an answer is silent until it has it. 0: no such rule.
  Milliseconds stall{0};
  std::size_t max_reply_bytes = std::size_t(64) << 20;  // in Reply::body; a file has no limit
  bool paced = true;
  // Whether it may be sent again although the server may have acted on it. False where that could
  // be paid twice: it is then repeated only if nothing of it was sent, or if the server said that
  // it did not act (429, 503).
  bool repeatable = true;
  std::uint32_t max_attempts = 4;
  std::function<Verdict(const Reply&)> judge;  // on the client's thread; empty: judge_by_status
  std::function<void()> on_first_send;         // on the client's thread
};

struct ClientOptions {
  std::size_t max_in_flight = 64;  // of paced requests
  bool adaptive = true;            // false: always max_in_flight
  Milliseconds retry_after_cap{300'000};
  Milliseconds connect_deadline{10'000};
  std::string proxy, ca_bundle;  // empty: none, and the system's
  std::string user_agent = "promptsweep";
  // Values of secrets, asked at the time of use and never kept longer than the transfer.
  std::function<std::string(std::string_view name)> secret;
  std::function<void(std::int32_t level, std::string_view message)> log;  // level: PSW_LOG_*
};
// Secrets, log, proxy and CA bundle from the host.
ClientOptions options_of(const Host& host);

// How things stand, for a stage line and for tests.
struct Standing {
  std::size_t limit = 0;      // in flight, as adapted so far
  std::size_t in_flight = 0;  // paced requests
  std::size_t waiting = 0;    // for a place, or to be sent again
  std::uint64_t attempts = 0, congested = 0;
};

using Ticket = std::uint64_t;
using Done = std::function<void(Reply)>;

class Client {
 public:
  explicit Client(ClientOptions options);
  // Cancels everything; every Done has been called when it returns.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // `done` is called once, on the client's thread, and must be quick. Any thread may start.
  Ticket start(Request request, Done done);
  // Done comes within 200 ms, with Failure::cancelled unless it was over already.
  void cancel(Ticket ticket);
  // start() and wait; for any thread but the client's own. `should_stop` is asked every 50 ms.
  Reply run(Request request, const std::function<bool()>& should_stop = {});
  Standing standing() const;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace http
}  // namespace psw

#endif
