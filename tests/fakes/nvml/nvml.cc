// SPDX-License-Identifier: Apache-2.0
// A driver's library with two GPUs, or, by PRETEND_NVML, with a failure: the functions that
// core/backend/machine.cc asks for, and what they were called for.
#include <cstdlib>
#include <cstring>

namespace {

struct Device {
  const char* name;
  unsigned long long total, free;
};
Device devices[] = {{"Pretend GPU A", 24ull << 30, 20ull << 30},
                    {"Pretend GPU B", 8ull << 30, 512ull << 20}};
int open_sessions = 0;

bool pretends(const char* what) {
  const char* wish = std::getenv("PRETEND_NVML");
  return wish != nullptr && std::strcmp(wish, what) == 0;
}

constexpr int driver_not_loaded = 9, gpu_is_lost = 15, invalid_argument = 2, uninitialized = 1;

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

struct Memory {
  unsigned long long total, free, used;
};

EXPORTED int nvmlInit_v2() {
  if (pretends("no driver")) return driver_not_loaded;
  ++open_sessions;
  return 0;
}
EXPORTED int nvmlShutdown() {
  --open_sessions;
  return 0;
}
EXPORTED int nvmlDeviceGetCount_v2(unsigned* count) {
  if (open_sessions == 0) return uninitialized;
  *count = pretends("no gpu") ? 0 : 2;
  return 0;
}
EXPORTED int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device** device) {
  if (index >= 2) return invalid_argument;
  *device = &devices[index];
  return 0;
}
EXPORTED int nvmlDeviceGetMemoryInfo(Device* device, Memory* memory) {
  if (pretends("lost gpu") && device == &devices[1]) return gpu_is_lost;
  *memory = {device->total, device->free, device->total - device->free};
  return 0;
}
EXPORTED int nvmlDeviceGetName(Device* device, char* name, unsigned length) {
  if (std::strlen(device->name) >= length) return invalid_argument;
  std::strcpy(name, device->name);
  return 0;
}
// For the test: sessions that nobody closed.
EXPORTED int pretend_nvml_open_sessions() { return open_sessions; }
