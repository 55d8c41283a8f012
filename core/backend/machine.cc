// SPDX-License-Identifier: Apache-2.0
#include "backend/machine.h"

#include <algorithm>
#include <array>

#include "base/env.h"

namespace promptsweep {
namespace {

// The few declarations of NVML that are used; its binary interface is stable within a suffix.
// https://docs.nvidia.com/deploy/nvml-api/
using NvmlReturn = int;  // 0: success
using NvmlDevice = struct nvmlDevice_st*;
struct NvmlMemory {
  unsigned long long total, free, used;
};

constexpr double gib = 1024.0 * 1024 * 1024;

std::uint64_t bytes_of_gib(double amount) { return static_cast<std::uint64_t>(amount * gib); }

template <class Function>
bool load(const SharedLibrary& library, const char* name, Function*& out) {
  out = reinterpret_cast<Function*>(library.symbol(name));
  return out != nullptr;
}

class Nvml {
 public:
  static Result<Nvml> open(SharedLibrary library) {
    Nvml nvml(std::move(library));
    const bool whole = load(nvml.library_, "nvmlInit_v2", nvml.init_) &&
                       load(nvml.library_, "nvmlShutdown", nvml.shutdown_) &&
                       load(nvml.library_, "nvmlDeviceGetCount_v2", nvml.count_) &&
                       load(nvml.library_, "nvmlDeviceGetHandleByIndex_v2", nvml.device_) &&
                       load(nvml.library_, "nvmlDeviceGetMemoryInfo", nvml.memory_) &&
                       load(nvml.library_, "nvmlDeviceGetName", nvml.name_);
    if (!whole) return Error{Code::unavailable, "the NVIDIA driver's library lacks a function"};
    return nvml;
  }

  Result<std::vector<GpuMemory>> gpus() const {
    if (const NvmlReturn failed = init_(); failed != 0) return error("nvmlInit_v2", failed);
    Result<std::vector<GpuMemory>> out = read_gpus();
    shutdown_();
    return out;
  }

 private:
  explicit Nvml(SharedLibrary library) : library_(std::move(library)) {}

  static Error error(const std::string& function, NvmlReturn code) {
    return {Code::unavailable,
            "the NVIDIA driver does not answer (" + function + ": " + std::to_string(code) + ")"};
  }

  Result<std::vector<GpuMemory>> read_gpus() const {
    unsigned count = 0;
    if (const NvmlReturn failed = count_(&count); failed != 0) {
      return error("nvmlDeviceGetCount_v2", failed);
    }
    std::vector<GpuMemory> out;
    for (unsigned i = 0; i < count; ++i) {
      NvmlDevice device = nullptr;
      NvmlMemory memory{};
      if (const NvmlReturn failed = device_(i, &device); failed != 0) {
        return error("nvmlDeviceGetHandleByIndex_v2", failed);
      }
      if (const NvmlReturn failed = memory_(device, &memory); failed != 0) {
        return error("nvmlDeviceGetMemoryInfo", failed);
      }
      std::array<char, 96> name{};
      const bool named = name_(device, name.data(), name.size() - 1) == 0;
      out.push_back({named ? std::string(name.data()) : "GPU " + std::to_string(i), memory.total,
                     memory.free});
    }
    return out;
  }

  SharedLibrary library_;
  NvmlReturn (*init_)() = nullptr;
  NvmlReturn (*shutdown_)() = nullptr;
  NvmlReturn (*count_)(unsigned*) = nullptr;
  NvmlReturn (*device_)(unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*memory_)(NvmlDevice, NvmlMemory*) = nullptr;
  NvmlReturn (*name_)(NvmlDevice, char*, unsigned) = nullptr;
};

}  // namespace

Result<std::vector<GpuMemory>> gpu_memory(const std::string& library) {
  std::optional<SharedLibrary> opened = SharedLibrary::open(library);
  if (!opened) return std::vector<GpuMemory>();
  const Result<Nvml> nvml = Nvml::open(*std::move(opened));
  if (!nvml) return nvml.error();
  return nvml->gpus();
}

MachineMemory machine_memory(const std::string& library) {
  MachineMemory out;
  if (const Result<std::uint64_t> ram = available_memory_bytes()) out.free_ram_bytes = *ram;
  Result<std::vector<GpuMemory>> gpus = gpu_memory(library);
  if (gpus) {
    out.gpus = std::move(gpus).value();
  } else {
    out.problem = gpus.error().text;
  }
  return out;
}

MemoryBudget memory_budget(const MachineMemory& machine, const MemoryWish& wish) {
  const std::uint64_t reserve = bytes_of_gib(wish.reserve_gb);
  const auto less_reserve = [&](std::uint64_t free) { return free - std::min(free, reserve); };
  MemoryBudget out;
  if (wish.ram_gb) {
    out.ram_bytes = bytes_of_gib(*wish.ram_gb);
  } else if (machine.free_ram_bytes) {
    out.ram_bytes = less_reserve(*machine.free_ram_bytes);
  }
  if (wish.vram_gb) {
    out.vram_bytes = bytes_of_gib(*wish.vram_gb);
  } else if (machine.problem.empty()) {
    out.vram_bytes = 0;
    for (const GpuMemory& gpu : machine.gpus) *out.vram_bytes += less_reserve(gpu.free_bytes);
  }
  return out;
}

}  // namespace promptsweep
