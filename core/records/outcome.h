// SPDX-License-Identifier: Apache-2.0
// The typed outcome of a request: what happened, and whether it is an answer of the model.
#pragma once

#include <optional>
#include <string_view>

namespace promptsweep {

enum class Outcome {
  ok,
  // Behaviour: answers of the model, never retried.
  truncated,  // the token limit ended the answer
  empty,      // an answer without a visible character
  filtered,
  // Final refusals: missing data, never retried.
  prompt_truncated,
  error_request,
  // Infrastructure: missing data, attempts only, offered again within the budget.
  error_backend,
  error_timeout,
  cancelled,
  expired,
  missing,
};

// Accepted once and never retried: ok, the behaviour outcomes and the final refusals.
bool is_final(Outcome outcome);
// An answer of the model other than ok: truncated, empty, filtered.
bool is_behaviour(Outcome outcome);
// Missing data: neither ok nor a behaviour.
inline bool is_missing_data(Outcome outcome) {
  return outcome != Outcome::ok && !is_behaviour(outcome);
}

// The name in files: the enumerator's own.
std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view name);

}  // namespace promptsweep
