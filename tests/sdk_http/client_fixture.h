// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <promptsweep/http/client.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "sdk_http/scripted_server.h"

namespace psw::http {

inline std::ostream& operator<<(std::ostream& out, Failure failure) {
  return out << to_string(failure);
}

}  // namespace psw::http

namespace http_test {

using psw::http::Client;
using psw::http::ClientOptions;
using psw::http::Failure;
using psw::http::Milliseconds;
using psw::http::Reply;
using psw::http::Request;
using psw::http::Verdict;
using Clock = std::chrono::steady_clock;

inline Request get(std::string url) {
  Request request;
  request.url = std::move(url);
  return request;
}

inline Request post(std::string url, std::string body) {
  Request request;
  request.method = "POST";
  request.url = std::move(url);
  request.body = std::move(body);
  return request;
}

// The rule of the library with short waits, so that tests do not sleep.
inline void retry_at_once(Request& request) {
  request.judge = [](const Reply& reply) {
    Verdict verdict;
    const bool again = !reply.arrived() || reply.status >= 500 || reply.status == 429;
    verdict.kind = again ? Verdict::again : Verdict::done;
    verdict.after = Milliseconds(1);
    return verdict;
  };
}

inline Answer text(std::string body, int status = 200) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

inline Answer silence() {
  Answer answer;
  answer.end = Answer::silent;
  return answer;
}

// Waits up to ten seconds; for what comes from another thread.
inline bool eventually(const std::function<bool()>& holds) {
  const auto until = Clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(Milliseconds(1));
  }
  return true;
}

// Replies as they come.
class Replies {
 public:
  psw::http::Done taker() {
    return [this](Reply reply) {
      const std::lock_guard<std::mutex> lock(mutex_);
      replies_.push_back(std::move(reply));
      came_.notify_all();
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    return came_.wait_for(lock, std::chrono::seconds(20), [&] { return replies_.size() >= count; });
  }
  std::vector<Reply> all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return replies_;
  }
  std::size_t size() { return all().size(); }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Reply> replies_;
};

}  // namespace http_test
