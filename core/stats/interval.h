// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace promptsweep {

// Closed; an end may be infinite where the definition says so (odds ratios).
struct Interval {
  double low = 0;
  double high = 0;
  bool operator==(const Interval&) const = default;
};

}  // namespace promptsweep
