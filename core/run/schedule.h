// SPDX-License-Identifier: Apache-2.0
// Which engines may be loaded at the same time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace promptsweep {

// What an engine takes from this machine while it is loaded.
struct EngineNeed {
  std::uint64_t ram_bytes = 0, vram_bytes = 0;
  int cores = 0;  // that it keeps busy while it generates
};

// What engines may take together; absent: not bounded.
struct EngineBudget {
  std::optional<std::uint64_t> ram_bytes, vram_bytes;
  std::optional<int> cores;
  int engines = 0;  // loaded at the same time; 0: as many as fit
};

// Whether an engine of this need may be loaded beside those that are. Alone it always may: whether
// it really fits only loading it can tell. An unknown need (nullopt) is met alone only.
bool fits(const std::optional<EngineNeed>& need,
          const std::vector<std::optional<EngineNeed>>& loaded, const EngineBudget& budget);

}  // namespace promptsweep
