// SPDX-License-Identifier: Apache-2.0
//
// promptsweep/json_text.h -- JSON from the world outside. Services send what no strict reader
// takes: bytes that are no UTF-8, half of a surrogate pair, raw control characters within strings.
#ifndef PROMPTSWEEP_JSON_TEXT_H_INCLUDED
#define PROMPTSWEEP_JSON_TEXT_H_INCLUDED

#include <string>
#include <string_view>

namespace psw {
namespace lines {

// The same document with every such place replaced: broken bytes and lone surrogates by U+FFFD, raw
// control characters within strings by their escapes. What is JSON already stays as it is; a
// document that is cut stays cut.
std::string repair_json(std::string_view text);

}  // namespace lines
}  // namespace psw

#endif
