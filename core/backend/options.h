// SPDX-License-Identifier: Apache-2.0
// A plugin's options against the JSON Schema (draft 7) that it publishes.
#pragma once

#include <string>

#include "base/result.h"

namespace promptsweep {

// ok, or Code::invalid_input with "<JSON pointer>: <sentence>". Code::data: the schema itself is
// broken.
Status check_against_schema(const std::string& schema_json, const std::string& options_json);

// The members of `options_json` whose schema carries `mark`: true, absent ones with the schema's
// default where it has one; canonical JSON.
std::string marked_options(const std::string& schema_json, const std::string& options_json,
                           const char* mark);

}  // namespace promptsweep
