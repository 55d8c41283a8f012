// SPDX-License-Identifier: Apache-2.0
// What every echo plugin does when an instance begins, and its event log.
#pragma once

#include <promptsweep/backend.hpp>
#include <string>

#include "options.h"

namespace echo {

// What loading a model would be: takes time, tells its progress, may fail, may be stopped.
void load_pretended_model(const Options& options, const psw::Host& host);

// The hash of the secret that the options ask for, or "".
std::string use_secret(const Options& options, const psw::Host& host);

// One write a line, so that lines of several processes do not mix.
void note_event(const Options& options, const char* event, const std::string& detail);

}  // namespace echo
