// SPDX-License-Identifier: Apache-2.0
#include "analysis/findings.h"

namespace promptsweep {

const MetricFinding* BlockFindings::find(std::string_view metric) const {
  for (const MetricFinding& finding : metrics) {
    if (finding.metric == metric) return &finding;
  }
  return nullptr;
}

std::string FamilyMember::key() const {
  std::string out = slug;
  out.append("|").append(format_number(temperature));
  out.append("|").append(to_string(type));
  out.append("|").append(metric);
  return out;
}

}  // namespace promptsweep
