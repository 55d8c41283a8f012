// SPDX-License-Identifier: Apache-2.0
//
// Text as HTTP sees it: ASCII, names in any case, values between blanks; and what of it may be
// shown.
#pragma once

#include <promptsweep/http/client.h>

#include <string>
#include <string_view>

namespace psw {
namespace http {

bool equal_any_case(std::string_view a, std::string_view b);
std::string_view trimmed(std::string_view text);

// Overwrites the bytes in a way that the compiler keeps, then clears.
void wipe(std::string& text);
// Replaces every occurrence of `secret`. Shorter ones than four bytes are left: they occur in any
// text.
void redact(std::string& text, std::string_view secret);
// Everything of the reply that can carry text from elsewhere.
void redact(Reply& reply, std::string_view secret);
// Scheme, host and path: user names, queries (signatures of signed URLs) and fragments are left
// out.
std::string shown_url(std::string_view url);

}  // namespace http
}  // namespace psw
