// SPDX-License-Identifier: Apache-2.0
#include "backend/text.h"

namespace promptsweep {

Code code_of(psw_status status) {
  switch (status) {
    case PSW_E_CONFIG:
    case PSW_E_AUTH:
    case PSW_E_TOO_LARGE:
      return Code::invalid_input;
    case PSW_E_UNSUPPORTED:
      return Code::unsupported;
    case PSW_E_NOT_FOUND:
      return Code::not_found;
    case PSW_E_STATE:
      return Code::state;
    case PSW_E_RATE_LIMITED:
      return Code::rate_limited;
    case PSW_E_UNAVAILABLE:
      return Code::unavailable;
    case PSW_E_TIMEOUT:
      return Code::timeout;
    case PSW_E_RESOURCE:
      return Code::resource;
    case PSW_E_CANCELLED:
      return Code::cancelled;
    case PSW_E_DATA:
      return Code::data;
    default:
      return Code::internal;
  }
}

Outcome outcome_of(std::int32_t psw_outcome) {
  switch (psw_outcome) {
    case PSW_OUTCOME_OK:
      return Outcome::ok;
    case PSW_OUTCOME_TRUNCATED:
      return Outcome::truncated;
    case PSW_OUTCOME_FILTERED:
      return Outcome::filtered;
    case PSW_OUTCOME_PROMPT_TRUNCATED:
      return Outcome::prompt_truncated;
    case PSW_OUTCOME_ERROR_REQUEST:
      return Outcome::error_request;
    case PSW_OUTCOME_ERROR_TIMEOUT:
      return Outcome::error_timeout;
    case PSW_OUTCOME_CANCELLED:
      return Outcome::cancelled;
    case PSW_OUTCOME_EXPIRED:
      return Outcome::expired;
    default:
      return Outcome::error_backend;
  }
}

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::queued:
      return "queued";
    case JobState::preparing:
      return "preparing";
    case JobState::running:
      return "running";
    case JobState::finalizing:
      return "finalizing";
    case JobState::succeeded:
      return "succeeded";
    case JobState::failed:
      return "failed";
    case JobState::cancelled:
      return "cancelled";
    case JobState::expired:
      return "expired";
  }
  return "unknown";
}

void Redactor::add(std::string secret) {
  // A value this short is no secret, and replacing it would shred every text.
  constexpr std::size_t shortest = 4;
  if (secret.size() < shortest) return;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const std::string& known : secrets_) {
    if (known == secret) return;
  }
  secrets_.push_back(std::move(secret));
}

std::string Redactor::clean(std::string_view text) const {
  std::string out(text);
  std::lock_guard<std::mutex> lock(mutex_);
  for (const std::string& secret : secrets_) {
    for (std::size_t at = 0; (at = out.find(secret, at)) != std::string::npos;) {
      out.replace(at, secret.size(), "***");
    }
  }
  return out;
}

Error to_error(const host::CallStatus& status, const Redactor& redactor) {
  return {code_of(status.code), redactor.clean(status.message)};
}

}  // namespace promptsweep
