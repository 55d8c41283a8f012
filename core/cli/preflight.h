// SPDX-License-Identifier: Apache-2.0
// Asks every service of a plan, before any work starts, whether it would serve: is it there, is the
// key right, does it know the model. Local engines are not asked: that would load their models.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/sweep_setup.h"
#include "run/stop.h"

namespace promptsweep {

struct ServiceCheck {
  std::string model, backend;
  Result<std::string> identity;  // what the service says it is, JSON; or why it would not serve
};

// One entry for each engine of the plan whose backend leaves this machine.
std::vector<ServiceCheck> check_services(const SweepSetup& setup, const StopFlag& stop);

// ok, or one line for each service that would not serve. Code::invalid_input where the
// configuration or a key has to change, else the code of the first.
Status require_services(const std::vector<ServiceCheck>& checks);

}  // namespace promptsweep
