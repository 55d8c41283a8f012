// SPDX-License-Identifier: Apache-2.0
// Replies without an answer, as outcomes.
#include <promptsweep/http/error_body.h>
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/lines.h>

#include <algorithm>
#include <array>

#include "error_words.h"

namespace psw {
namespace http {
namespace {

[[noreturn]] void end_job(const Error& error) {
  JobEnds end(error.code, error.text);
  end.retryable = error.retryable;
  end.provider_code = error.provider_code;
  throw end;
}

// A status that says nothing about the line, so that every further line meets it too.
bool is_about_the_service(int status) {
  constexpr std::array<int, 8> statuses = {401, 402, 403, 404, 405, 407, 412, 501};
  const bool listed = std::find(statuses.begin(), statuses.end(), status) != statuses.end();
  return listed || (status >= 300 && status < 400);
}

bool is_transient(int status) {
  return status >= 500 || status == 408 || status == 409 || status == 425 || status == 429 ||
         status == 499;
}

Record by_status(const Reply& reply, const Error& error) {
  const ErrorBody said = parse_error_body(reply.body);
  // A row's text may be what a filter before the model forbids.
  const bool forbids_the_row = reply.status == 403 && speaks_of_moderation(said);
  if (is_about_the_service(reply.status) && !forbids_the_row) end_job(error);
  if (reply.status == 429 && speaks_of_quota(said)) end_job(error);
  if (reply.status == 408 || reply.status == 504)
    return failed_record(PSW_OUTCOME_ERROR_TIMEOUT, PSW_E_TIMEOUT, error.text);
  if (reply.status >= 400 && speaks_of_long_prompt(said))
    return failed_record(PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE, error.text);
  if (is_transient(reply.status) || reply.status < 400)
    return failed_record(PSW_OUTCOME_ERROR_BACKEND, error.code, error.text);
  return failed_record(PSW_OUTCOME_ERROR_REQUEST, error.code, error.text);
}

}  // namespace

Record failed_record(std::int32_t outcome, psw_status code, std::string_view sentence) {
  Record record;
  record.outcome = outcome;
  record.code = code;
  record.body_json = lines::failure_body(sentence);
  return record;
}

Record no_answer(std::string_view what, const Reply& reply) {
  const Error error = to_error(what, reply);
  switch (reply.failure) {
    case Failure::none:
      return by_status(reply, error);
    case Failure::timeout:
      return failed_record(PSW_OUTCOME_ERROR_TIMEOUT, PSW_E_TIMEOUT, error.text);
    case Failure::cancelled:
      return failed_record(PSW_OUTCOME_CANCELLED, PSW_E_CANCELLED, error.text);
    default:
      return failed_record(PSW_OUTCOME_ERROR_BACKEND, error.code, error.text);
  }
}

}  // namespace http
}  // namespace psw
