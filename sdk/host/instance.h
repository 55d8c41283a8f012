// SPDX-License-Identifier: Apache-2.0
// A created backend, wherever it lives. The thread tags of promptsweep/backend.h hold here too:
// poll and cancel from any thread at any time, the others one at a time per job.
#pragma once

#include "host/types.h"

namespace promptsweep::host {

class Instance {
 public:
  virtual ~Instance() = default;

  virtual CallStatus submit(const JobArgs& args) = 0;
  virtual CallStatus poll(psw_job job, JobView& out) = 0;
  // Waits up to budget_ms for a first record, then hands out what is there, at most max_records.
  virtual CallStatus fetch(psw_job job, std::uint64_t max_records, std::uint32_t budget_ms,
                           const Sink& sink, Fetched& out) = 0;
  virtual CallStatus cancel(psw_job job) = 0;
  virtual CallStatus close(psw_job job) = 0;

  // PSW_E_UNSUPPORTED when the plugin lacks the extension.
  virtual CallStatus identity(std::string& json) = 0;
  virtual CallStatus count_tokens(std::string_view request_json, std::uint64_t& tokens) = 0;
};

}  // namespace promptsweep::host
