// SPDX-License-Identifier: Apache-2.0
// The prepared files of the original, made from the official downloads: open_book.jsonl (SQuAD),
// closed_book.jsonl (TriviaQA, then NQ-open) and prepared_manifest.json.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace promptsweep {

struct PrepareOptions {
  // Each absent: looked for in raw_dir by its official name.
  std::optional<std::filesystem::path> squad, triviaqa, nq_open;
  std::filesystem::path raw_dir = "data/raw";
  std::filesystem::path prepared_dir = "data/prepared";
};

struct PreparedFile {
  std::filesystem::path path;
  std::int64_t items = 0;
  std::string sha256;
  bool already_there = false;  // with these very bytes
};

// Code::invalid_input when no source is found (the message says where to get them) or a source is
// malformed. Whole sets are written; caps and shuffles are a run's business.
Result<std::vector<PreparedFile>> prepare_data(const PrepareOptions& options);

}  // namespace promptsweep
