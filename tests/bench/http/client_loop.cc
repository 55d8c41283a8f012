// SPDX-License-Identifier: Apache-2.0
//
// The same requests as curl_multi_loop's, through the HTTP engine.
//   client_loop URL CONNECTIONS REQUESTS [BODY]
#include <promptsweep/http/client.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "measured.h"

namespace {

// Keeps twice as many requests at the client as may be in flight, and starts half of them at once.
class Feeder {
 public:
  Feeder(psw::http::Client& client, psw::http::Request request, long connections)
      : client_(client), request_(std::move(request)), at_client_(2 * connections) {}

  long run(long requests) {
    for (long started = 0; started < requests;) {
      long room = 0;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return open_ <= at_client_ / 2; });
        room = std::min(at_client_ - open_, requests - started);
        open_ += room;
      }
      for (long i = 0; i < room; ++i) start();
      started += room;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return open_ == 0; });
    return failed_;
  }

 private:
  void start() {
    client_.start(request_, [this](psw::http::Reply reply) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!reply.good()) ++failed_;
      --open_;
      if (open_ == at_client_ / 2 || open_ == 0) changed_.notify_one();
    });
  }

  psw::http::Client& client_;
  const psw::http::Request request_;
  const long at_client_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  long open_ = 0, failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s URL CONNECTIONS REQUESTS [BODY]\n", argv[0]);
    return 2;
  }
  const long connections = std::atol(argv[2]);
  const long requests = std::atol(argv[3]);
  psw::http::ClientOptions options;
  options.max_in_flight = std::size_t(connections);
  psw::http::Client client(options);
  psw::http::Request request;
  request.url = argv[1];
  request.headers = {{"Content-Type", "application/json"}};
  if (argc > 4) {
    request.method = "POST";
    request.body = argv[4];
  }
  Feeder feeder(client, request, connections);
  return measured(requests, [&] { return feeder.run(requests); });
}
