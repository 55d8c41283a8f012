// SPDX-License-Identifier: Apache-2.0
#include "service.h"
namespace promptsweep::emulator {
std::unique_ptr<Service> make_fireworks(World world) { return make_openai(world); }
}  // namespace promptsweep::emulator
