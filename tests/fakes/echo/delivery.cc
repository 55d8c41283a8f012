// SPDX-License-Identifier: Apache-2.0
#include "delivery.h"

namespace echo {

bool fail_without_answer(FailureKind kind, const psw::Job& job, const psw::Request& request,
                         psw::Times times) {
  const auto fail = [&](std::int32_t outcome, psw_status code, const char* sentence) {
    job.fail(request, outcome, code, psw::error_body(sentence), {}, times);
    return true;
  };
  switch (kind) {
    case FailureKind::error_backend:
      return fail(PSW_OUTCOME_ERROR_BACKEND, PSW_E_UNAVAILABLE, "unavailable (injected)");
    case FailureKind::error_timeout:
      return fail(PSW_OUTCOME_ERROR_TIMEOUT, PSW_E_TIMEOUT, "timed out (injected)");
    case FailureKind::error_request:
      return fail(PSW_OUTCOME_ERROR_REQUEST, PSW_E_INVALID_ARGUMENT, "refused (injected)");
    case FailureKind::prompt_truncated:
      return fail(PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE, "too long (injected)");
    default:
      return false;
  }
}

void deliver_answer(const psw::Job& job, const psw::Request& request, const Answer& answer,
                    std::optional<FailureKind> failure, const Delivery& delivery) {
  if (answer.refused_request) {
    job.fail(request, PSW_OUTCOME_ERROR_REQUEST, PSW_E_INVALID_ARGUMENT,
             psw::error_body(answer.text), {}, delivery.times);
    return;
  }
  std::string_view text = answer.text;
  std::string_view reason = answer.truncated ? "length" : "stop";
  std::int32_t outcome = answer.truncated ? PSW_OUTCOME_TRUNCATED : PSW_OUTCOME_OK;
  if (failure == FailureKind::truncated) {
    text = text.substr(0, text.size() / 2);
    reason = "length";
    outcome = PSW_OUTCOME_TRUNCATED;
  } else if (failure == FailureKind::filtered) {
    text = "";
    reason = "content_filter";
    outcome = PSW_OUTCOME_FILTERED;
  } else if (failure == FailureKind::empty) {
    text = " \n";
  }
  job.deliver(
      request,
      body_of(answer, text, reason, delivery.queue_ms, delivery.total_ms, delivery.remote_id),
      outcome, {answer.prompt_tokens, answer.completion_tokens}, delivery.times);
}

}  // namespace echo
