// SPDX-License-Identifier: Apache-2.0
// Holds a stored file against the file that is made today from the same records: what `verify`
// tells of it. What needs scoring or rendering of requests is in run/verify.h, which analysis may
// not see.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "records/difference.h"

namespace promptsweep {

// Byte for byte; at most one difference, the first line that differs, with its number. Reads both
// files line by line. `id_columns` of a CSV's header name the row beside the line number; a line
// within a quoted field belongs to the row that it is part of. Code::io: a file cannot be read; a
// missing `stored` is a difference.
Status compare_files(const std::filesystem::path& stored, const std::filesystem::path& made,
                     const std::vector<std::string>& id_columns, const DifferenceSink& found);

// The same with a text in memory.
Status compare_text(const std::filesystem::path& stored, std::string_view made,
                    const DifferenceSink& found);

// The bytes of `line` around `at`, quoted, of one line, valid UTF-8.
std::string excerpt(std::string_view line, std::size_t at);

}  // namespace promptsweep
