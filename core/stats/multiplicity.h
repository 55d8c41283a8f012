// SPDX-License-Identifier: Apache-2.0
// Adjusted p-values for a family of tests, as R's p.adjust defines them.
#pragma once

#include <optional>
#include <vector>

namespace promptsweep {

enum class Correction { bonferroni, holm, hochberg, bh, by };

// In the order given. An absent p-value stays absent and is not counted in the family.
std::vector<std::optional<double>> adjust(const std::vector<std::optional<double>>& p_values,
                                          Correction correction);

}  // namespace promptsweep
