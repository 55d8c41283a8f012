// SPDX-License-Identifier: Apache-2.0
// Two cheap questions before any work: is the key good for the account, and is there such a model.
#pragma once

#include <functional>
#include <string>

#include "control.h"
#include "options.h"

namespace fireworks {

// Throws psw::Error with one sentence: PSW_E_AUTH, PSW_E_NOT_FOUND, PSW_E_UNAVAILABLE, or
// PSW_E_CANCELLED when the control's calls were stopped. An answer that settles nothing is no
// reason to refuse: `warn` is told.
void check_account_and_model(Control& control, const Options& options,
                             const std::function<void(const std::string&)>& warn);

}  // namespace fireworks
