// SPDX-License-Identifier: Apache-2.0
// One reader a format, each in its own file; used by read_dataset alone.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dataset/dataset.h"
#include "dataset/source_file.h"

namespace promptsweep {

// Takes the items in file order; its error ends the reading.
using TakeItem = std::function<Status(const Item&)>;

// Reads `file` to its end. Errors begin with the file's name and say where in it. Formats of lines
// (nq_open, prepared, csv) hold a line at a time, those of one document (squad, triviaqa) all.
Status read_squad(const DatasetSource& source, SourceFile& file, const TakeItem& take);
Status read_triviaqa(const DatasetSource& source, SourceFile& file, const TakeItem& take);
Status read_nq_open(const DatasetSource& source, SourceFile& file, const TakeItem& take);
Status read_prepared(const DatasetSource& source, SourceFile& file, const TakeItem& take);
Status read_csv(const DatasetSource& source, SourceFile& file, const TakeItem& take);

// Runs of white space become one space, none at the ends.
std::string collapse_whitespace(std::string_view text);

// "FILE:LINE: text" as bad input.
Error row_error(const DatasetSource& source, std::int64_t line, const std::string& text);

// The data set's question when it brings no id: an id that depends on the question alone.
std::string id_from_question(const std::string& question);

}  // namespace promptsweep
