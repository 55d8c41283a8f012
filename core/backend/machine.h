// SPDX-License-Identifier: Apache-2.0
// The memory of this machine: what is there and free now, and how much of it engines may use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace promptsweep {

inline constexpr char nvml_library[] = "libnvidia-ml.so.1";

struct GpuMemory {
  std::string name;
  std::uint64_t total_bytes = 0, free_bytes = 0;
};

// The NVIDIA GPUs of this machine, asked through the driver's own library (NVML), which is opened
// here and needed nowhere else. No library: no GPU. Code::unavailable: there is one, but it or the
// driver does not answer; the text says what failed. All GPUs count, CUDA_VISIBLE_DEVICES is not
// considered.
Result<std::vector<GpuMemory>> gpu_memory(const std::string& library = nvml_library);

struct MachineMemory {
  std::optional<std::uint64_t> free_ram_bytes;  // absent: this system does not say
  std::vector<GpuMemory> gpus;
  std::string problem;  // one sentence where something that is there could not be asked
};
MachineMemory machine_memory(const std::string& library = nvml_library);

// The options resources.*: GiB; an absent amount is what is detected less the reserve.
struct MemoryWish {
  std::optional<double> ram_gb, vram_gb;
  double reserve_gb = 1;
};

// What engines may use together. Absent: not known, so that nothing can be said to fit beside
// another engine.
struct MemoryBudget {
  std::optional<std::uint64_t> ram_bytes, vram_bytes;
};
// The reserve is kept on each GPU. VRAM is the sum over the GPUs, as an engine that finds one too
// small splits its model; it does not say that a model fits on any one of them.
MemoryBudget memory_budget(const MachineMemory& machine, const MemoryWish& wish);

}  // namespace promptsweep
