// SPDX-License-Identifier: Apache-2.0
// What refusals speak of. Services agree on no code, so that their words are all there is.
#pragma once

#include <promptsweep/http/error_body.h>

namespace psw {
namespace http {

bool speaks_of_long_prompt(const ErrorBody& said);  // prompt and context do not fit together
bool speaks_of_quota(const ErrorBody& said);        // used up until somebody pays
bool speaks_of_moderation(const ErrorBody& said);

// The status that fits an error which came with status 200.
int status_of(const ErrorBody& said);

}  // namespace http
}  // namespace psw
