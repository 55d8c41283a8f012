// SPDX-License-Identifier: Apache-2.0
// A document as one value a key path, to be compared with another.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace promptsweep {

// "stats.bootstrap_samples" -> "2000", "models[demo-small].backend_options.n_ctx" -> "2048": an
// element of a list of mappings is named by its id, name or alias where it has one, else by its
// position; a list of scalars is one value, "[0, 0.7]". Numbers are written in their shortest form,
// so that 0.0 and 0 are the same value. Reads YAML and JSON. Code::data names `what`.
Result<std::map<std::string, std::string>> flatten_document(const std::string& text,
                                                            const std::string& what);

}  // namespace promptsweep
