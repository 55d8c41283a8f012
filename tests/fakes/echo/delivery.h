// SPDX-License-Identifier: Apache-2.0
// From what echo would answer and the failure that a request meets to its record.
#pragma once

#include <optional>
#include <promptsweep/backend.hpp>
#include <string>

#include "answers.h"
#include "options.h"

namespace echo {

// Gives the record of a failure without an answer. False: `kind` is none of those.
bool fail_without_answer(FailureKind kind, const psw::Job& job, const psw::Request& request,
                         psw::Times times = {});

struct Delivery {
  double queue_ms = 0, total_ms = 0;
  std::string remote_id;  // empty: none
  psw::Times times;
};

void deliver_answer(const psw::Job& job, const psw::Request& request, const Answer& answer,
                    std::optional<FailureKind> failure, const Delivery& delivery);

}  // namespace echo
