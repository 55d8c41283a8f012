// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine.h"

namespace psw {
namespace http {

struct Client::Engine::Exchange {
  enum class State { queued, active, waits_to_retry, settling };

  Ticket ticket = 0;
  Request request;
  Done done;
  Time started;
  State state = State::queued;
  std::uint32_t attempts = 0;
  bool sent_before = false;                      // on_first_send was called
  bool acted_before = false;                     // an earlier attempt may have made the server act
  std::unique_ptr<Attempt> attempt;              // while active
  Time sent_at{};                                // of the latest attempt that was sent
  std::string partial;                           // of the latest attempt, where a reply is saved
  Wakes::iterator wake;                          // while it waits to retry
  std::shared_ptr<std::atomic<bool>> abandoned;  // while settling
};

}  // namespace http
}  // namespace psw
