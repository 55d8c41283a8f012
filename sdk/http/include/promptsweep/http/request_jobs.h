// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/http/request_jobs.h -- jobs of services that answer one request at a time: each line
// of a job is one HTTP request and gives one record.
#ifndef PROMPTSWEEP_HTTP_REQUEST_JOBS_H_INCLUDED
#define PROMPTSWEEP_HTTP_REQUEST_JOBS_H_INCLUDED

#include <promptsweep/http/client.h>

#include <cstddef>
#include <cstdint>
#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>

namespace psw {
namespace http {

// The record that a reply gives.
struct Record {
  std::int32_t outcome = PSW_OUTCOME_OK;
  psw_status code = PSW_OK;
  std::string body_json;  // response.schema.json, or {"error": ...}
  Usage usage;
};

// From encode(): the line is not sent, and this is its outcome, where error_request is not what
// fits (a prompt that does not fit whole).
struct NotSent : Error {
  std::int32_t outcome;
  NotSent(std::int32_t outcome_, psw_status code_, std::string text_)
      : Error(code_, std::move(text_)), outcome(outcome_) {}
};

// From decode() or encode(): what failed here fails every further line, and not because of the line
// (a revoked key, a model that is gone, an account without credit). The line's record is
// error_backend, nothing more is sent, what is under way is waited for, and the job fails with this
// error: its requests are offered again when somebody has helped.
struct JobEnds : Error {
  using Error::Error;
};

// One service's language: JSON in, JSON out, no I/O. encode() and decode() run on the job's thread,
// judge() on the client's; all may run for several requests at once.
class Service {
 public:
  virtual ~Service() = default;
  // Throws psw::Error for a line that cannot be sent: it is answered as refused (error_request).
  virtual Request encode(const psw::Request& line) = 0;
  virtual Verdict judge(const Reply& reply) = 0;
  // What else it throws becomes a record of error_backend.
  virtual Record decode(const psw::Request& line, const Reply& reply) = 0;
};

// Sends the lines of `job`, at most `max_in_flight` of this job at the client at once, and delivers
// each record as it comes. A line counts as begun when its bytes are first sent. Returns when every
// line has its record or the job shall stop; then nothing of this job is in flight any more. An
// answer whose reply never came is ERROR_TIMEOUT or ERROR_BACKEND with the attempts counted.
// Throws the first JobEnds, and what a client or a broken requests file throws.
void run_requests(Client& client, Service& service, const psw::Job& job, std::size_t max_in_flight);

// The record of a reply that holds no answer; `what` names the call. Retryable failures that are
// left over are error_timeout (408, 504, a deadline) or error_backend; other refusals of status 4xx
// are error_request, or prompt_truncated where they say that the prompt does not fit. Throws
// JobEnds for a status that is not about the line: 401, 402, 403, 404, 405, 407, 501, redirects,
// and 429 that says that the quota is used up.
Record no_answer(std::string_view what, const Reply& reply);

// A record of this outcome and sentence.
Record failed_record(std::int32_t outcome, psw_status code, std::string_view sentence);

}  // namespace http
}  // namespace psw

#endif
