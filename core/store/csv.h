// SPDX-License-Identifier: Apache-2.0
// Rows of a CSV file: RFC 4180 quoting, LF, UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace promptsweep {

// One row with its line end. A field is quoted where it must be (a comma, a quote, CR or LF
// within); bytes that are no UTF-8 become U+FFFD; nothing else changes.
std::string csv_row(const std::vector<std::string>& fields);

// Blank where absent or no finite number.
std::string csv_number(const std::optional<double>& value);
std::string csv_number(const std::optional<std::int64_t>& value);

}  // namespace promptsweep
