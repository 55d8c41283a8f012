// SPDX-License-Identifier: Apache-2.0
#include "run/schedule.h"

namespace promptsweep {
namespace {

// Whether sum + more stays within the budget, without overflow.
template <class Number>
bool within(Number sum, Number more, const std::optional<Number>& budget) {
  return !budget || (more <= *budget && sum <= *budget - more);
}

}  // namespace

bool fits(const std::optional<EngineNeed>& need,
          const std::vector<std::optional<EngineNeed>>& loaded, const EngineBudget& budget) {
  if (loaded.empty()) return true;
  if (budget.engines > 0 && loaded.size() >= static_cast<std::size_t>(budget.engines)) return false;
  if (!need) return false;
  EngineNeed sum;
  for (const std::optional<EngineNeed>& one : loaded) {
    if (!one) return false;
    sum.ram_bytes += one->ram_bytes;
    sum.vram_bytes += one->vram_bytes;
    sum.cores += one->cores;
  }
  // Cores that nobody needs are no reason to wait, however busy the others are.
  const bool cores_free = need->cores == 0 || within(sum.cores, need->cores, budget.cores);
  return cores_free && within(sum.ram_bytes, need->ram_bytes, budget.ram_bytes) &&
         within(sum.vram_bytes, need->vram_bytes, budget.vram_bytes);
}

}  // namespace promptsweep
