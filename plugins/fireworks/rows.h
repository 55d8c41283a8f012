// SPDX-License-Identifier: Apache-2.0
// The lines of a batch: what is uploaded and what comes back. Pure: JSON in, JSON out.
#pragma once

#include <cstdint>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>

namespace fireworks {

// The row of a request line, without a newline. Every setting of the line stands in the row's body
// and nowhere else; the model is the job's. Throws psw::Error(PSW_E_INVALID_ARGUMENT or
// PSW_E_UNSUPPORTED) for a line that the provider would refuse, and with it the whole job.
std::string batch_row(const psw::Request& line);
// The model that the line names: all lines of a job must name the same.
std::string model_of(std::string_view line);

// One line of a result or error file.
struct ResultRow {
  std::string custom_id;
  std::string completion;  // a chat completion (JSON); empty: a failure
  std::string error_code, error_message;
};
// nullopt: not one whole JSON object with a custom_id, or without anything else.
std::optional<ResultRow> parse_result_row(std::string_view line);

// What a failed row means for its request.
struct RowFailure {
  std::int32_t outcome = PSW_OUTCOME_ERROR_BACKEND;
  psw_status code = PSW_E_UNAVAILABLE;
};
// Only what would be refused again is final.
RowFailure failure_of(const ResultRow& row);

}  // namespace fireworks
