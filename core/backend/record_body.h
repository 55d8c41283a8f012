// SPDX-License-Identifier: Apache-2.0
// A record's body (sdk/schema/response.schema.json) and its two readers. They agree wherever the
// first one answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace promptsweep {

struct RecordBody {
  std::optional<std::string> text, error;       // nullopt: none that is a text
  std::string finish_reason, model, remote_id;  // empty: not said
  std::string timings_json;                     // members sorted; empty: not said
  std::optional<std::int64_t> prompt_tokens, prompt_tokens_evaluated, completion_tokens;
  std::optional<bool> seed_honoured;
};

// Without a tree; nullopt for whatever is unusual, broken JSON among it.
std::optional<RecordBody> plain_record_body(std::string_view json);
// nullopt: no JSON object.
std::optional<RecordBody> tree_record_body(std::string_view json);

}  // namespace promptsweep
