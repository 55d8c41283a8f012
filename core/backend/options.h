// SPDX-License-Identifier: Apache-2.0
// A plugin's options against the JSON Schema (draft 7) that it publishes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace promptsweep {

// ok, or Code::invalid_input with "<JSON pointer>: <sentence>". Code::data: the schema itself is
// broken.
Status check_against_schema(const std::string& schema_json, const std::string& options_json);

// `options_json` with what the core knows filled in where an option is absent: the option that the
// schema marks x-role "model" gets `model`, one that it marks "x-env": "NAME" the value that
// `environment` has for NAME. Anything that is no object comes back as it is.
std::string completed_options(
    const std::string& schema_json, const std::string& options_json, const std::string& model,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

// The members of `options_json` whose schema carries `mark`: true, absent ones with the schema's
// default where it has one; canonical JSON.
std::string marked_options(const std::string& schema_json, const std::string& options_json,
                           const char* mark);

// The options with which less memory is needed and nothing that belongs to the experiment changes:
// what the schema marks x-role "parallelism" is halved down to its minimum, then what it marks
// "offload" is lowered step by step to 0. nullopt: nothing is left to give up.
std::optional<std::string> with_less_memory(const std::string& schema_json,
                                            const std::string& options_json);

// The value of the option that the schema marks x-role "threads", by its default where it is not
// set; nullopt: the schema marks none.
std::optional<std::int64_t> threads_option(const std::string& schema_json,
                                           const std::string& options_json);

}  // namespace promptsweep
