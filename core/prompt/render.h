// SPDX-License-Identifier: Apache-2.0
// item x arm -> request. The only renderer of prompts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "records/item.h"
#include "records/item_source.h"
#include "records/plan.h"
#include "records/request.h"

namespace promptsweep {

// The user turn: instructions, blank line, (open-book: "CONTEXT:" and the passage, blank line),
// "QUESTION:" and the question.
std::string user_turn(const TaskInstructions& instructions, const Item& item);

// One line of the request file, request_id first, no newline: sdk/schema/request.schema.json.
// At temperature 0 no seed is sent.
std::string request_line(const ArmSpec& arm, const std::string& model, const Item& item,
                         const std::string& request_id, std::uint32_t seed);

// The rows of one item, by sample.
std::vector<RequestRow> request_rows(const ArmSpec& arm, const std::string& model,
                                     const Item& item);
// The rows of an arm in item order, samples innermost; every item gives its rows. Ends at the
// first error of `visit`.
Status for_each_request_row(const ArmSpec& arm, const std::string& model, const ItemSource& items,
                            const std::function<Status(const RequestRow&)>& visit);

struct RequestFile {
  std::filesystem::path path;
  std::string sha256;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

// Writes the lines of `rows` (of one arm and task type) atomically. Fails with Code::data, and
// leaves no file, where `items` lacks a row's item.
Result<RequestFile> write_request_file(const std::filesystem::path& path, const ArmSpec& arm,
                                       const std::string& model, const ItemSource& items,
                                       const std::vector<RequestRow>& rows);

// Labelled an estimate wherever it is shown: UTF-8 characters / 4, at least 1.
std::int64_t estimate_tokens(std::string_view text);

}  // namespace promptsweep
