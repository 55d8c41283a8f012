// SPDX-License-Identifier: Apache-2.0
// From the ABI's codes and texts to the core's.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "host/types.h"

namespace promptsweep {

Code code_of(psw_status status);
Outcome outcome_of(std::int32_t psw_outcome);

// Takes secret values out of texts. Thread-safe.
class Redactor {
 public:
  void add(std::string secret);
  std::string clean(std::string_view text) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> secrets_;
};

Error to_error(const host::CallStatus& status, const Redactor& redactor);

// REQUIRES: record.outcome and its body as the ABI says; whatever does not fit becomes
// error_backend with a sentence.
ResultRow to_row(const host::Record& record, const std::string& job_id, const Redactor& redactor);

}  // namespace promptsweep
