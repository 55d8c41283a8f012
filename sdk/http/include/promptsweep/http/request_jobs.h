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

namespace psw {
namespace http {

// The record that a reply gives.
struct Record {
  std::int32_t outcome = PSW_OUTCOME_OK;
  psw_status code = PSW_OK;
  std::string body_json;  // response.schema.json, or {"error": ...}
  Usage usage;
};

// One service's language: JSON in, JSON out, no I/O. encode() and decode() run on the job's thread,
// judge() on the client's; all may run for several requests at once.
class Service {
 public:
  virtual ~Service() = default;
  // Throws psw::Error for a line that cannot be sent: it is answered as refused (error_request).
  virtual Request encode(const psw::Request& line) = 0;
  virtual Verdict judge(const Reply& reply) = 0;
  virtual Record decode(const psw::Request& line, const Reply& reply) = 0;
};

// Sends the lines of `job`, at most `max_in_flight` of this job at the client at once, and delivers
// each record as it comes. A line counts as begun when its bytes are first sent. Returns when every
// line has its record or the job shall stop; then nothing of this job is in flight any more. An
// answer whose reply never came is ERROR_TIMEOUT or ERROR_BACKEND with the attempts counted.
void run_requests(Client& client, Service& service, const psw::Job& job, std::size_t max_in_flight);

}  // namespace http
}  // namespace psw

#endif
