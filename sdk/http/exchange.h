// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine.h"

namespace psw {
namespace http {

// What an author's function throws ends here.
template <class F>
bool without_exceptions(F&& call) noexcept {
  try {
    call();
    return true;
  } catch (...) {
    return false;
  }
}

struct Client::Engine::Exchange {
  enum class State { queued, active, waits_to_retry, settling };

  // What happened to one request; the next one begins without it.
  struct Story {
    State state = State::queued;
    std::uint32_t attempts = 0;
    bool sent_before = false;                      // on_first_send was called
    bool acted_before = false;                     // an earlier attempt may have made it act
    Time sent_at{};                                // of the latest attempt that was sent
    Time ended_at{};                               // of the latest attempt
    std::string partial;                           // of the latest attempt that saves its reply
    Wakes::iterator wake;                          // while it waits to retry
    std::shared_ptr<std::atomic<bool>> abandoned;  // while settling
  };

  Ticket ticket = 0;
  Request request;
  Done done;
  Time started;
  std::unique_ptr<Attempt> attempt;  // while active
  Story so_far;

  // Lets go of everything but the strings of the request.
  void forget() {
    done = nullptr;
    request.judge = nullptr;
    request.on_first_send = nullptr;
    so_far = {};
  }
};

}  // namespace http
}  // namespace psw
