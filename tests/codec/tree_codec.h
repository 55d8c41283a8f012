// SPDX-License-Identifier: Apache-2.0
// Bodies of requests and answers, written by way of the JSON library's tree: what the appending
// writers are compared with, in bytes by the tests and in time by the bench.
#pragma once

#include <promptsweep/http/openai_chat.h>
#include <promptsweep/lines.h>

#include <optional>
#include <string>

namespace codec {

std::string tree_body(const psw::http::ChatDialect& dialect, const std::string& model,
                      const std::string& extra_json, std::optional<int> top_logprobs,
                      const psw::lines::Query& query);
std::string tree_answer(const psw::lines::Answer& answer);

}  // namespace codec
