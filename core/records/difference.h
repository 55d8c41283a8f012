// SPDX-License-Identifier: Apache-2.0
// Something that is stored and is not what it must be: one line of what `verify` says.
#pragma once

#include <functional>
#include <string>

namespace promptsweep {

struct Difference {
  std::string file;  // absolute, or relative to the run folder
  std::string row;   // a line number, a request, a key; empty: the file as a whole
  std::string says;  // what is wrong, in words
  // As far as they are known: an excerpt where the text is long.
  std::string stored, recomputed;
};

using DifferenceSink = std::function<void(Difference)>;

}  // namespace promptsweep
