// SPDX-License-Identifier: Apache-2.0
// One metric over the paired items of a block.
#pragma once

#include <string>

#include "analysis/metrics.h"
#include "analysis/pairing.h"

namespace promptsweep {

struct MetricContext {
  const AnalysisOptions& options;
  int samples_per_item = 1;
  // Names the block: slug, temperature, task type, data set, analysis. With the metric's name it
  // decides the seeds, so that no block's resamples depend on another's.
  std::string block_key;
};

MetricFinding metric_finding(const MetricDefinition& metric, const ItemPairs& pairs,
                             const MetricContext& context);

// From q_bh, or from p where there is none.
Verdict verdict_of(const MetricFinding& metric, double alpha);

}  // namespace promptsweep
