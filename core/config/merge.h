// SPDX-License-Identifier: Apache-2.0
// Command-line overrides into the document, before it is checked.
#pragma once

#include <yaml-cpp/yaml.h>

#include "config/document.h"
#include "config/load.h"

namespace promptsweep {

// After this the document says what the command line says; problems name the flag.
void merge_overrides(YAML::Node& root, const Overrides& overrides, Problems& problems);

}  // namespace promptsweep
