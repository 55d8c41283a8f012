// SPDX-License-Identifier: Apache-2.0
// All request rows of an arm over a few items.
#pragma once

#include <string>
#include <vector>

#include "prompt/render.h"

namespace promptsweep {

inline std::vector<RequestRow> rows_of(const ArmSpec& arm, const std::string& model,
                                       const std::vector<Item>& items) {
  std::vector<RequestRow> out;
  Status done = for_each_request_row(arm, model, ItemList(items), [&](const RequestRow& row) {
    out.push_back(row);
    return Status(ok);
  });
  return done ? out : std::vector<RequestRow>();
}

}  // namespace promptsweep
