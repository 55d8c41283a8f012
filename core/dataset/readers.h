// SPDX-License-Identifier: Apache-2.0
// One reader a format, each in its own file; used by read_dataset alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataset/dataset.h"

namespace promptsweep {

// `bytes` is the whole file. Errors begin with the file's name and say where in it.
Result<std::vector<Item>> read_squad(const DatasetSource& source, std::string_view bytes);
Result<std::vector<Item>> read_triviaqa(const DatasetSource& source, std::string_view bytes);
Result<std::vector<Item>> read_nq_open(const DatasetSource& source, std::string_view bytes);
Result<std::vector<Item>> read_prepared(const DatasetSource& source, std::string_view bytes);
Result<std::vector<Item>> read_csv(const DatasetSource& source, std::string_view bytes);

// Runs of white space become one space, none at the ends.
std::string collapse_whitespace(std::string_view text);

// "FILE:LINE: text" as bad input.
Error row_error(const DatasetSource& source, std::int64_t line, const std::string& text);

// The data set's question when it brings no id: an id that depends on the question alone.
std::string id_from_question(const std::string& question);

}  // namespace promptsweep
